"""The W4–W6 timeline: single-GPU training above, a three-GPU pipeline with one round trip below."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from analysis.metrics.timeline import round_trip
from figures.drawing.colours import COLOURS
from figures.drawing.style import PAGE_IN, headline, new_figure
from figures.pieces import Piece
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.op import Op
from sim.order.time_units import time_unit
from sim.rows import Row, Rows
from sim.trace import Trace

MINIBATCH, MINIBATCHES = 4, 12
SHOWN_UNITS = 8
PIPELINE = "3-GPU pipeline"
PANELS = {"single GPU": 1, PIPELINE: 3}  # stages
FILL = {(True, "F"): COLOURS["sky"], (True, "B"): COLOURS["orange"],
        (False, "F"): "#EAF3FA", (False, "B"): "#FBF1DC"}


def configuration() -> dict[str, Any]:
    """What to write into the picture: a configuration for each panel."""
    return {"panels": {panel: document(stages) for panel, stages in PANELS.items()},
            "minibatch": MINIBATCH}


def document(stages: int) -> dict[str, Any]:
    """The configuration of a pipeline of so many GPUs."""
    return {"pipeline": {"stages": stages, "minibatches": MINIBATCHES}}


def pieces(seeds: Iterable[int] = ()) -> list[Piece]:
    """A run without training for each panel; nothing here is random."""
    return [Piece({"panel": panel}, rows_of, (stages,)) for panel, stages in PANELS.items()]


def rows_of(stages: int) -> Rows:
    """A row per pass: GPU, kind, mini-batch (from 1), seconds, version labels, staleness."""
    return _passes(run(resolve(document(stages)), training=False), MINIBATCH)


def message(rows: Rows) -> str:
    """The headline: the versions mini-batch 4 comes across on its way."""
    units = {op: ", ".join(f"W{r['time_unit']}" for r in trip(rows) if r["op"] == op)
             for op in "FB"}
    return (f"In a pipeline of three GPUs mini-batch {MINIBATCH} meets {units['F']} forward and "
            f"{units['B']} backward; on one GPU it uses W{MINIBATCH} throughout")


def trip(rows: Rows) -> Rows:
    """The passes of the marked mini-batch through the pipeline, in the order of time."""
    return sorted((r for r in rows if r["round_trip"] and r["panel"] == PIPELINE),
                  key=lambda r: r["round_trip"])


def _passes(trace: Trace, minibatch: int) -> Rows:
    order = {(p.stage, p.op): n for n, p in enumerate(round_trip(trace, minibatch), 1)}
    found = []
    for row in np.flatnonzero(np.isin(trace.op, (Op.F, Op.B))).tolist():
        op, stage, mine = Op(int(trace.op[row])), int(trace.stage[row]), int(trace.minibatch[row])
        found.append({
            "gpu": stage, "op": op.name, "minibatch": mine,
            "start_s": float(trace.start_s[row]), "end_s": float(trace.end_s[row]),
            "time_unit": time_unit(op, mine, stage, trace.shape.stages),
            "version_updates": int(trace.version_read[row]),
            "staleness_updates": float(trace.staleness[row]),
            "round_trip": order[stage, op.name] if mine == minibatch else None})
    return found


def draw(rows: Rows) -> Figure:
    """Two panels on one time axis; mini-batch 4 in full colour with its versions and arrows."""
    panels = list(dict.fromkeys(row["panel"] for row in rows))
    heights = [1 + max(r["gpu"] for r in rows if r["panel"] == p) for p in panels]
    figure = new_figure(PAGE_IN, 3.9)
    headline(figure, message(rows), "W by time unit, as SpecTrain counts: one forward and one "
             "backward of a GPU; single-GPU training makes W(i+1) of mini-batch i")
    axes = figure.subplots(2, 1, sharex=True, height_ratios=[1.25, *[h + 0.9 for h in heights[1:]]])
    for axis, panel, height in zip(axes, panels, heights, strict=True):
        _panel(axis, [r for r in rows if r["panel"] == panel], height)
        axis.set_title(panel, loc="left")
    axes[1].set_xlabel("time (s; one forward or one backward takes 1 s)")
    axes[1].set_xlim(0, 2 * SHOWN_UNITS)
    axes[1].set_xticks(range(0, 2 * SHOWN_UNITS + 1))
    return figure


def _panel(axis: Axes, rows: list[dict[str, Any]], height: int) -> None:
    for row in rows:
        if row["start_s"] < 2 * SHOWN_UNITS:
            _box(axis, row)
    order = sorted((r for r in rows if r["round_trip"]), key=lambda r: r["round_trip"])
    for one, following in pairwise(order):
        if one["gpu"] != following["gpu"]:
            _arrow(axis, one, following)
    for row in order:
        _version(axis, row)
    axis.set_ylim(height - 0.35, -0.85)
    axis.set_yticks(range(height), [f"GPU {k}" for k in range(height)])
    axis.tick_params(left=False)
    axis.spines["left"].set_visible(False)


def _box(axis: Axes, row: Row) -> None:
    mine = row["round_trip"] is not None
    seconds = row["end_s"] - row["start_s"]
    axis.add_patch(Rectangle((row["start_s"], row["gpu"] - 0.3), seconds, 0.6, linewidth=0.6,
                             facecolor=FILL[mine, row["op"]],
                             edgecolor="black" if mine else COLOURS["grey"]))
    axis.text(row["start_s"] + seconds / 2, row["gpu"], f"{row['op']}{row['minibatch']}",
              ha="center", va="center", fontsize=8 if mine else 7,
              fontweight="bold" if mine else "normal", color="black" if mine else "#666666")


def _version(axis: Axes, row: Row) -> None:
    axis.text((row["start_s"] + row["end_s"]) / 2, row["gpu"] - 0.34, f"$W_{row['time_unit']}$",
              ha="center", va="bottom", fontsize=9, color=COLOURS["blue"], fontweight="bold")


def _arrow(axis: Axes, one: Row, following: Row) -> None:
    down = following["gpu"] > one["gpu"]
    begin = (one["end_s"] - 0.12, one["gpu"] + (0.3 if down else -0.3))
    end = (following["start_s"] + 0.12, following["gpu"] + (-0.3 if down else 0.3))
    axis.add_patch(FancyArrowPatch(begin, end, arrowstyle="-|>", mutation_scale=9,
                                   linewidth=1.2, color=COLOURS["vermilion"], zorder=3,
                                   shrinkA=0, shrinkB=0))
