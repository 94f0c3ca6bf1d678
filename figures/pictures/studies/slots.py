"""What nF1B's order costs in time: as its slot model fixes it, and dispatched greedily."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from analysis.metrics.report import report
from figures.drawing.colours import COLOURS
from figures.drawing.style import PAGE_IN, headline, legend_below, new_figure
from figures.methods import BACKWARD_S, DISPATCHES, FORWARD_S
from figures.pieces import Piece
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.rows import Rows

STAGES, MINIBATCHES = 8, 400
MICROBATCHES = (4, 7, 14, 28)
IN_HEADLINE = 7
ORDERS = {"round-robin": ("round-robin", "static", "pale"), "GPipe": ("gpipe", "static", "black"),
          "nF1B, slot order": ("nf1b", "static", DISPATCHES["static"].colour),
          "nF1B, greedy dispatch": ("nf1b", "greedy", DISPATCHES["greedy"].colour)}


def document(order: str, microbatches: int) -> dict[str, Any]:
    """The configuration of one run; a mini-batch takes a stage the same time in every order."""
    schedule, dispatch, _ = ORDERS[order]
    n = 1 if schedule == "round-robin" else microbatches
    whole = schedule in ("round-robin", "nf1b")  # one backward covers the mini-batch
    return {"pipeline": {"stages": STAGES, "schedule": schedule, "dispatch": dispatch,
                         "microbatches": n, "minibatches": MINIBATCHES},
            "costs": {"forward_s": FORWARD_S / n, "backward_s": BACKWARD_S / (1 if whole else n)},
            "training": {"task": "none"}}


def configuration() -> dict[str, Any]:
    """What to write into the picture: a run, and what is varied."""
    return {**document("nF1B, slot order", IN_HEADLINE), "microbatches": list(MICROBATCHES),
            "orders": {name: list(kind[:2]) for name, kind in ORDERS.items()}}


def pieces(_: Iterable[int]) -> list[Piece]:
    """One run an order and number of micro-batches; nothing is drawn by lot."""
    return [Piece({"microbatches": n, "order": order}, rows_of, (order, n))
            for n in MICROBATCHES for order in ORDERS]


def rows_of(order: str, microbatches: int) -> Rows:
    """Steady mini-batches a second, and how late the first stage's forwards are (updates)."""
    found = report(run(resolve(document(order, microbatches))))
    return [{"throughput": found["steady_throughput_minibatches_per_s"],
             "bubble": found["bubble_fraction"],
             "first_stage_staleness": found["staleness"]["forward"][0]}]


def rate(rows: Rows, order: str, microbatches: int) -> float:
    """Steady mini-batches a second of one order."""
    return next(float(row["throughput"]) for row in rows
                if (row["order"], row["microbatches"]) == (order, microbatches))


def message(rows: Rows) -> str:
    """The headline: what both forms keep of the rates of round-robin and of GPipe."""
    said = []
    for order in ("nF1B, slot order", "nF1B, greedy dispatch"):
        kept = [100 * rate(rows, order, IN_HEADLINE) / rate(rows, other, IN_HEADLINE)
                for other in ("round-robin", "GPipe")]
        said.append(f"{order.removeprefix('nF1B, ')} {kept[0]:.0f} and {kept[1]:.0f} %")
    return (f"With equal work and {IN_HEADLINE} micro-batches nF1B keeps of the steady rates of "
            f"round-robin and of GPipe: {', '.join(said)}")


def draw(rows: Rows) -> Figure:
    """Steady rates over round-robin's by micro-batches, a bar an order."""
    figure = new_figure(PAGE_IN, 2.9)
    headline(figure, message(rows), f"{STAGES} stages, {MINIBATCHES} mini-batches, {FORWARD_S:g} s "
             f"forward and {BACKWARD_S:g} s backward of a whole mini-batch and stage in every "
             "order, links are free; the slot model gives a whole backward the time of one "
             "micro-batch's forward; greedy: backward first, then what is ready first")
    axis = figure.subplots()
    for number, (order, (_, dispatch, colour)) in enumerate(ORDERS.items()):
        heights = [rate(rows, order, n) / rate(rows, "round-robin", n) for n in MICROBATCHES]
        axis.bar(np.arange(len(MICROBATCHES)) + 0.2 * number - 0.3, heights, 0.18,
                 color=COLOURS[colour], label=order, hatch=DISPATCHES[dispatch].hatch,
                 edgecolor=COLOURS["black"], linewidth=0.6)
    axis.set_xticks(range(len(MICROBATCHES)), [f"{n}" for n in MICROBATCHES])
    axis.set_xlabel("micro-batches")
    axis.set_ylabel("steady rate over round-robin's")
    axis.grid(axis="y")
    legend_below(figure, axis.get_legend_handles_labels(), columns=len(ORDERS))
    return figure
