"""NWPT's look-ahead where no weight is stale: beside momentum, and beside plain SGD."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.drawing.colours import COLOURS
from figures.drawing.scales import log_numbers
from figures.drawing.style import PAGE_IN, headline, legend_below, new_figure
from figures.methods import BARS, BATCH, NAMED, Method, bounds, paired_losses, spread
from figures.pieces import Piece
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.rows import Rows
from sim.spread import Paired, Spread
from sim.wording import plural

STAGES, MINIBATCHES, EVERY, MOMENTUM = 2, 200, 50, 0.9
RATES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
OURS = "nwpt"
METHODS = {"plain SGD": ("none", 0.0, NAMED["none"]._replace(colour="dim", line=":", mark="D")),
           "momentum": ("none", MOMENTUM, NAMED["none"]), OURS: ("nwpt", MOMENTUM, NAMED["nwpt"])}
BASELINES = ("momentum", "plain SGD")  # the paper names none


def document(method: str, rate: float, seed: int) -> dict[str, Any]:
    """The configuration of one run: two stages one after the other, heavy-ball momentum."""
    mitigation, momentum, _ = METHODS[method]
    return {"pipeline": {"schedule": "sequential", "stages": STAGES, "minibatches": MINIBATCHES,
                         "mitigation": mitigation},
            "training": {"batch_size": BATCH, "learning_rate": rate, "momentum": momentum,
                         "convention": "heavy-ball", "seed": seed, "distances": False,
                         "evaluate_every": EVERY}}


def configuration() -> dict[str, Any]:
    """What to write into the picture: the run, and what is varied."""
    return {**document(OURS, RATES[0], 0), "methods": {name: list(kind[:2]) for name, kind in
                                                       METHODS.items()},
            "learning_rates": list(RATES)}


def pieces(seeds: Iterable[int]) -> list[Piece]:
    """One run a rate, method and seed."""
    return [Piece({"rate": rate, "method": method, "seed": seed}, rows_of, (method, rate, seed))
            for rate in RATES for method in METHODS for seed in seeds]


def rows_of(method: str, rate: float, seed: int) -> Rows:
    """Losses and validation accuracy of one run at every evaluation, None once it diverged."""
    curves = run(resolve(document(method, rate, seed))).curves
    names = ("training_loss", "validation_loss", "accuracy")
    return [{"minibatch": minibatch, **{name: value if math.isfinite(value) else None
                                        for name, value in zip(names, values, strict=True)}}
            for minibatch, *values in zip(curves["evaluated_minibatch"].tolist(),
                                          *(curves[name].tolist() for name in names),
                                          strict=True)]


def losses(rows: Rows, method: str, rate: float, minibatch: int = MINIBATCHES
           ) -> list[float | None]:
    """The loss over the training set of every seed, of a method at one rate after so many
    mini-batches."""
    return [row["training_loss"] for row in rows
            if (row["method"], row["rate"], row["minibatch"]) == (method, rate, minibatch)]


def at_best(rows: Rows, method: str) -> tuple[float, Spread]:
    """The rate at which a method's mean loss is lowest, and its losses there."""
    found = {rate: spread(losses(rows, method, rate)) for rate in RATES}
    best = min((rate for rate in RATES if found[rate].values), key=lambda rate: found[rate].mean)
    return best, found[best]


def against(rows: Rows, baseline: str, rate: float, minibatch: int = MINIBATCHES
            ) -> Paired | None:
    """NWPT's losses over a baseline's at one rate, by seed; None where a run diverged."""
    return paired_losses(losses(rows, OURS, rate, minibatch),
                         losses(rows, baseline, rate, minibatch))


def message(rows: Rows) -> str:
    """The headline: each method's lowest mean loss, and at which rate."""
    said = []
    for method in (OURS, *BASELINES):
        rate, found = at_best(rows, method)
        said.append(f"{found.mean:.2g} {method} (η = {rate:g})")
    return f"Without staleness, at each method's best rate the final loss is {', '.join(said)}"


def draw(rows: Rows) -> Figure:
    """Final losses by learning rate, and NWPT's over each baseline's by seed."""
    seeds = {row["seed"] for row in rows}
    figure = new_figure(PAGE_IN, 3.2)
    headline(figure, message(rows), f"{STAGES} stages one after the other (sequential), digits, "
             f"batch {BATCH}, {MINIBATCHES} mini-batches, heavy-ball momentum {MOMENTUM:g}, "
             f"{plural(len(seeds), 'seed')}, bars: {BARS}; right: ratios by seed, geometric mean")
    left, right = figure.subplots(1, 2)
    for method, (*_, stroke) in METHODS.items():
        found = [spread(losses(rows, method, rate)) for rate in RATES]
        means = np.array([each.mean for each in found])
        ends = np.array([bounds(each) for each in found]).T
        left.errorbar(RATES, means, np.abs(ends - means), color=stroke.hex,
                      linestyle=stroke.line, marker=stroke.mark, markersize=4, elinewidth=0.7,
                      label=method)
    left.set_ylabel("loss over the training set at the end")
    for baseline in BASELINES:
        _ratios(right, rows, baseline, METHODS[baseline][-1])
    right.axhline(1, color=COLOURS["black"], linewidth=0.7)
    right.set_ylabel("nwpt's loss over the baseline's")
    for axis in (left, right):
        axis.set_xscale("log")
        axis.set_xticks(RATES, [f"{rate:g}" for rate in RATES])
        axis.minorticks_off()
        axis.set_xlabel("learning rate (logarithmic)")
        log_numbers(axis)
        axis.grid()
    legend_below(figure, left.get_legend_handles_labels(), columns=3)
    return figure


def _ratios(axis: Axes, rows: Rows, baseline: str, stroke: Method) -> None:
    for rate in RATES:
        found = against(rows, baseline, rate)
        if found is None:
            continue
        low, high = found.ci95 or (min(found.values), max(found.values))
        shift = 1.04 if baseline == BASELINES[0] else 0.96
        axis.errorbar(rate * shift, found.mean, [[found.mean - low], [high - found.mean]],
                      color=stroke.hex, marker=stroke.mark, markersize=4, elinewidth=0.7)
