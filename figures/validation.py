"""Predicted over measured: the same instructions of a few runs on one time axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from figures.style import COLOURS, Row, new_figure

SHOWN = 5  # runs
MINIBATCHES = 4  # from the first on
FILL = {"F": COLOURS["sky"], "B": COLOURS["orange"], "I": COLOURS["orange"],
        "W": COLOURS["yellow"], "U": COLOURS["purple"]}
HEIGHT = {"predicted": 0.21, "measured": -0.21}  # of a lane's middle above its device's line


def chosen(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The first mini-batches of one run per schedule."""
    first: dict[str, str] = {}
    for row in rows:
        first.setdefault(row["schedule"], row["run"])
    shown = list(first.values())[:SHOWN]
    return [dict(row) for row in rows
            if row["run"] in shown and int(row["minibatch"]) <= MINIBATCHES]


def draw(rows: Sequence[Row]) -> Figure:
    """A panel per run in `rows`; on every device the prediction above, the measurement below."""
    runs = list(dict.fromkeys(row["run"] for row in rows))
    devices = 1 + max(int(row["device"]) for row in rows)
    figure = new_figure(9.6, 0.5 + len(runs) * (0.55 + 0.55 * devices))
    axes = figure.subplots(len(runs), 1, squeeze=False)[:, 0]
    for axis, run in zip(axes, runs, strict=True):
        _panel(axis, run, [row for row in rows if row["run"] == run], devices)
    axes[-1].set_xlabel("time (ms)")
    kinds = [("forward", "F"), ("backward", "B"), ("update", "U")]
    figure.legend(handles=[Patch(facecolor=FILL[op], edgecolor="black", linewidth=0.5, label=name)
                           for name, op in kinds], loc="outside upper right", ncols=3,
                  frameon=False)
    return figure


def _panel(axis: Axes, run: str, rows: Sequence[Row], devices: int) -> None:
    end = 0.0
    for row in rows:
        for side, above in HEIGHT.items():
            start, stop = (1e3 * float(row[f"{side}_{at}_s"]) for at in ("start", "end"))
            end = max(end, stop)
            axis.add_patch(Rectangle((start, row["device"] - above - 0.18), stop - start, 0.36,
                                     facecolor=FILL[row["op"]], edgecolor="black", linewidth=0.3,
                                     alpha=1.0 if side == "measured" else 0.6))
    axis.set_xlim(0, 1.01 * end)
    axis.set_ylim(devices - 0.5, -0.5)
    ticks = [d - above for d in range(devices) for above in HEIGHT.values()]
    axis.set_yticks(ticks, [f"device {d}, {side}" for d in range(devices) for side in HEIGHT])
    axis.tick_params(left=False)
    axis.spines["left"].set_visible(False)
    axis.set_title(run, loc="left")
