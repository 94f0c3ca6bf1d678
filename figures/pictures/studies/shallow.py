"""From which learning rate on staleness harms a pipeline of three stages, seed by seed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from figures import methods
from figures.drawing.colours import COLOURS
from figures.drawing.scales import log_numbers
from figures.drawing.style import PAGE_IN, headline, new_figure
from figures.methods import NAMED
from figures.pieces import Piece
from sim.rows import Rows
from sim.spread import Paired
from sim.wording import plural

STAGES = 3
RATES = (0.05, 0.1, 0.2, 0.4, 0.6)
OURS, BASELINE = "none", "sequential"


def base(rate: float) -> dict[str, Any]:
    """The configuration both methods start from at one learning rate."""
    document = methods.document(STAGES, rate)
    document["training"] |= {"evaluate_every": 0, "distances": False}
    return document


def configuration() -> dict[str, Any]:
    """What to write into the picture: the pipeline, the methods and the learning rates."""
    return methods.configuration(base(RATES[0]), (NAMED[OURS], NAMED[BASELINE]),
                                 learning_rates=list(RATES))


def pieces(seeds: Iterable[int]) -> list[Piece]:
    """One run a rate, method and seed."""
    return [Piece({"rate": rate, "method": name, "seed": seed}, rows_of,
                  (base(rate), NAMED[name].contender, seed))
            for rate in RATES for name in (OURS, BASELINE) for seed in seeds]


def rows_of(document: dict[str, Any], contender: str, seed: int) -> Rows:
    """How one run ended: losses and validation accuracy, None where it diverged."""
    return [methods.ended(methods.trained(document, contender, seed))]


def against(rows: Rows, rate: float) -> Paired | None:
    """Losses without mitigation over those of fresh weights, by seed; None where one diverged."""
    ours, theirs = ([row["final_loss"] for row in rows
                     if (row["rate"], row["method"]) == (rate, name)] for name in (OURS, BASELINE))
    return methods.paired_losses(ours, theirs)


def message(rows: Rows) -> str:
    """The headline: the worst seed's ratio at every rate."""
    found = {rate: against(rows, rate) for rate in RATES}
    worst = ", ".join("diverged" if pair is None else f"{max(pair.values):.3g}"
                      for pair in found.values())
    return (f"At three stages staleness multiplies the worst seed's final loss by {worst} at "
            f"η = {', '.join(f'{rate:g}' for rate in RATES)}")


def draw(rows: Rows) -> Figure:
    """The ratio of final losses by learning rate, a dot a seed, the geometric mean as a bar."""
    seeds = {row["seed"] for row in rows}
    figure = new_figure(PAGE_IN, 2.6)
    headline(figure, message(rows), f"{STAGES} stages, digits, batch {methods.BATCH}, "
             f"{methods.MINIBATCHES} mini-batches, {plural(len(seeds), 'seed')} (dots); bar: "
             "geometric mean; no mark: a seed diverged")
    axis = figure.subplots()
    for place, rate in enumerate(RATES):
        pair = against(rows, rate)
        if pair is None:
            continue
        axis.plot(place + np.linspace(-0.12, 0.12, len(pair.values)), pair.values, "o",
                  color=COLOURS["vermilion"], markersize=3.5)
        axis.plot([place - 0.25, place + 0.25], [pair.mean] * 2, color=COLOURS["black"])
    axis.axhline(1, color=COLOURS["grey"], linewidth=0.7)
    log_numbers(axis)
    axis.set_xticks(range(len(RATES)), [f"{rate:g}" for rate in RATES])
    axis.set_xlabel("learning rate (logarithmic)")
    axis.set_ylabel("loss over sequential's")
    axis.grid(axis="y")
    return figure
