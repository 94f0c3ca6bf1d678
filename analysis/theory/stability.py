"""Where delayed training must diverge: the largest stable ηλ on the quadratic, by root location.

Stable means every root of the recurrence's characteristic polynomial lies inside the unit circle.
Stability may return beyond a first unstable stretch; the edge is the first crossing from 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, get_args

import numpy as np
from scipy.optimize import brentq

from analysis.theory.recurrence import FORMS, DelayedTraining, growth
from sim.errors import ConfigurationError, unknown
from sim.numerics.optimizers import Convention

LEAST, STEP, CHUNK = 1e-6, 1.01, 128  # the scan for a first unstable x: geometric, in chunks
LARGEST_DELAY = 64
MOST_MOMENTUM = 0.999  # a run that measures the edge forgets within some thousand updates
DELAYS, MOMENTA = range(8), (0.0, 0.9)  # the grid that theory and simulation must agree on
GRID = ("none", "stash", "spectrain", "spectrain-stashed", "nwpt", "i-timeprest")


def delayed_training(mitigation: str, delay: int, momentum: float, convention: str,
                     horizon: float | None = None, decay: float | None = None) -> DelayedTraining:
    """A training to ask the theory about, its numbers checked; delay and horizon in updates.

    `horizon` is by default what the mitigation's rule takes (a prediction: its delay), `decay` an
    interpolation's 1.  Raises ConfigurationError with every problem.
    """
    problems = [f"{name}: {rule}, got {value}" for name, value, good, rule in (
        ("delay", delay, 0 <= delay <= LARGEST_DELAY, f"0 to {LARGEST_DELAY} updates"),
        ("momentum", momentum, 0 <= momentum <= MOST_MOMENTUM, f"0 to {MOST_MOMENTUM}"),
        ("horizon", horizon, horizon is None or 0 <= horizon <= LARGEST_DELAY,
         f"0 to {LARGEST_DELAY} updates"),
        ("decay", decay, decay is None or decay >= 0, "0 or more (inf included)")) if not good]
    if convention not in get_args(Convention):
        problems.append(f"convention: {unknown('convention', convention, get_args(Convention))}")
    if mitigation not in FORMS:
        problems.append(f"mitigation: {unknown('mitigation', mitigation, list(FORMS))}")
    else:
        problems += _misplaced(mitigation, horizon, decay)
    if problems:
        raise ConfigurationError(problems)
    training = DelayedTraining(
        mitigation, delay, momentum, convention,  # type: ignore[arg-type]
        decay=1.0 if decay is None else decay)
    if horizon is None:
        horizon = training.form.horizon(training)
    return replace(training, horizon=horizon)


def _misplaced(mitigation: str, horizon: float | None, decay: float | None) -> Iterator[str]:
    """What was given though this mitigation has no use for it."""
    for name, value, used in (("horizon", horizon, "predicts"), ("decay", decay, "interpolates")):
        if value is not None and not getattr(FORMS[mitigation], used):
            takers = ", ".join(each for each, form in FORMS.items() if getattr(form, used))
            yield f"{name}: {mitigation} takes none; it belongs to {takers}"


def edge(training: DelayedTraining) -> float:
    """The largest x = ηλ below which every smaller one is stable.

    Roots cross at a finite x always: the gradient's polynomial has a lower degree than the rest, so
    a root goes to infinity with x.
    """
    low, high = _bracket(training)
    return float(brentq(lambda x: float(growth(training, np.array([x]))[0]) - 1, low, high,
                        xtol=1e-15, rtol=1e-13))


def _bracket(training: DelayedTraining) -> tuple[float, float]:
    """Neighbours of a geometric scan: the first unstable x and the stable one before it."""
    first = LEAST
    while True:
        at = first * np.power(STEP, np.arange(CHUNK + 1.0))
        unstable = growth(training, at) > 1
        if unstable.any():
            number = max(int(np.argmax(unstable)), 1)
            return float(at[number - 1]), float(at[number])
        first = float(at[-1])


def row(training: DelayedTraining, measured: float | None) -> dict[str, Any]:
    """Theory and measurement of one training; `backward` is the reading of REFERENCE section 3."""
    by_roots = edge(training)
    return {
        "mitigation": training.mitigation, "delay": training.delay, "momentum": training.momentum,
        "convention": training.convention, "horizon": training.horizon,
        "stale_share": training.stale_share if training.form.interpolates else None,
        "backward": training.form.backward,
        "edge_roots": by_roots, "edge_measured": measured,
        "relative_difference": None if measured is None else measured / by_roots - 1,
    }


def theory(mitigations: Iterable[str], delays: Iterable[int], momenta: Iterable[float],
           convention: str) -> list[dict[str, Any]]:
    """Edges by theory alone: a row for each mitigation, delay and momentum.

    Raises ConfigurationError for what `delayed_training` refuses.
    """
    momenta, delays = tuple(momenta), tuple(delays)
    return [row(delayed_training(m, d, g, convention), None)
            for m in mitigations for d in delays for g in momenta]


def grid(mitigations: Iterable[str] = GRID, momenta: Iterable[float] = MOMENTA,
         delays: Iterable[int] = DELAYS, conventions: Iterable[str] = get_args(Convention),
         done: Callable[[], None] = lambda: None) -> Iterator[dict[str, Any]]:
    """Edges by theory and as measured: a row for each mitigation, convention, momentum and delay.

    All delays of a mitigation come out of the same runs, after which `done` is called.
    """
    from analysis.theory.measured_edge import measure

    momenta, delays, conventions = tuple(momenta), tuple(delays), tuple(conventions)
    for mitigation in mitigations:
        for convention in conventions:
            for momentum in momenta:
                trainings = [delayed_training(mitigation, d, momentum, convention) for d in delays]
                yield from map(row, trainings, measure(trainings))
                done()
