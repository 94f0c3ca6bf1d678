"""Loss and accuracy by mini-batch and by simulated second, a line per method."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.metrics.timing import finished_s
from figures import methods
from figures.colours import COLOURS
from figures.methods import NAMED, RATES, Method, mean_sd
from figures.pieces import Piece
from figures.style import PAGE_IN, headline, legend_below, new_figure
from sim.rows import Rows
from sim.wording import plural

STAGES = 8
METHODS = (NAMED["sequential"], Method("GPipe 7 (flushed)", "none@gpipe/7", "black", ":"),
           *(NAMED[name] for name in (
               "none", "stash", "vertical-sync", "spectrain", "nwpt", "i-timeprest",
               "timeprest, nF1B 7", "v-timeprest, nF1B 7")))
QUANTITIES = (("training_loss", "loss over the training set"),
              ("accuracy", "validation accuracy"))
SECONDS = (200, 500, 1000, 2000, 5000, 10000)  # marked on the axis


def configuration() -> dict[str, Any]:
    """What to write into the picture: the pipeline and the methods."""
    return methods.configuration(methods.document(STAGES, RATES[STAGES]), METHODS)


def pieces(seeds: Iterable[int]) -> list[Piece]:
    """One run a method and seed."""
    base = methods.document(STAGES, RATES[STAGES])
    return [Piece({"method": m.label, "seed": seed}, rows_of, (base, m.contender, seed))
            for seed in seeds for m in METHODS]


def rows_of(base: dict[str, Any], contender: str, seed: int) -> Rows:
    """A row per evaluation: mini-batch, second it was done on every stage, loss and accuracy."""
    trace = methods.trained(base, contender, seed)
    at, done = trace.curves["evaluated_minibatch"], finished_s(trace)
    columns = (at, done[at - 1], *(trace.curves[name] for name, _ in QUANTITIES))
    return [{"minibatch": m, "second": s, "training_loss": loss, "accuracy": accuracy}
            for m, s, loss, accuracy in zip(*(c.tolist() for c in columns), strict=True)]


def loss_at(rows: Rows, method: str, second: float) -> float:
    """Mean loss over seeds at the last evaluation until a second; NaN before the first."""
    _, seconds, means = _line(rows, method, "second", "training_loss")
    known = [mean for at, mean in zip(seconds, means, strict=True) if at <= second]
    return known[-1] if known else float("nan")


def message(rows: Rows) -> str:
    """The headline: losses after all mini-batches, and when the unflushed pipeline is through."""
    end = max(row["second"] for row in rows if row["method"] == "none")
    last = [f"{loss_at(rows, m, float('inf')):.2g} {m}"
            for m in ("sequential", "spectrain", "none")]
    then = [f"{loss_at(rows, m, end):.2g} {m.removesuffix(' (flushed)')}"
            for m in ("spectrain", "GPipe 7 (flushed)", "none", "sequential")]
    return (f"Loss after {max(row['minibatch'] for row in rows)} mini-batches: {', '.join(last)}; "
            f"after {end:.0f} s: {', '.join(then)}")


def draw(rows: Rows) -> Figure:
    """Loss above, accuracy below; by mini-batch left, by simulated second right."""
    seeds = {row["seed"] for row in rows}
    figure = new_figure(PAGE_IN, 5.6)
    headline(figure, message(rows), f"{STAGES} stages, digits, batch {methods.BATCH}, learning "
             f"rate {RATES[STAGES]}, mean of {plural(len(seeds), 'seed')}, band: one standard "
             "deviation of sequential, none and spectrain; a mini-batch takes a stage 1 s forward "
             "and 2 s backward, links are free; by mini-batch GPipe 7 lies on sequential")
    axes = np.atleast_2d(figure.subplots(2, 2, sharey="row", sharex="col"))
    for line, (quantity, label) in zip(axes, QUANTITIES, strict=True):
        for axis, along in zip(line, ("minibatch", "second"), strict=True):
            for method in METHODS:
                _plot(axis, rows, method, along, quantity)
            axis.grid()
        line[0].set_ylabel(label)
    axes[0, 0].set_yscale("log")
    axes[1, 0].set_ylim(0, 1)
    axes[1, 0].set_xlabel("mini-batches")
    axes[1, 1].set_xlabel("simulated time (s, logarithmic)")
    axes[1, 1].set_xscale("log")
    axes[1, 1].set_xticks(SECONDS, [f"{second}" for second in SECONDS])
    axes[1, 1].minorticks_off()
    legend_below(figure, axes[0, 0].get_legend_handles_labels(), columns=5)
    return figure


def _plot(axis: Axes, rows: Rows, method: Method, along: str, quantity: str) -> None:
    deviation, xs, means = _line(rows, method.label, along, quantity)
    axis.plot(xs, means, color=COLOURS[method.colour], linestyle=method.line, label=method.label,
              linewidth=1.8 if method.colour == "black" else 1.1)
    if method.label in ("sequential", "none", "spectrain"):
        low = np.array(means) - deviation
        if quantity == "training_loss":  # below zero has no place on a logarithm
            low = np.maximum(low, 0.1 * np.array(means))
        axis.fill_between(xs, low, np.array(means) + deviation, color=COLOURS[method.colour],
                          alpha=0.15, linewidth=0)


def _line(rows: Rows, method: str, along: str, quantity: str
          ) -> tuple[Any, list[float], list[float]]:
    """Standard deviations, places, and means over seeds there."""
    at: dict[int, Rows] = {}
    for row in rows:
        if row["method"] == method:
            at.setdefault(row["minibatch"], []).append(row)
    found = [mean_sd([row[quantity] for row in some]) for some in at.values()]
    return (np.array([sd for _, sd in found]), [some[0][along] for some in at.values()],
            [mean for mean, _ in found])
