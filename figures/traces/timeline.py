"""The passes of one trace over time, a line per device."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from analysis.metrics.timeline import has_time_units, name, round_trip, version_label
from figures.drawing.colours import COLOURS
from figures.traces.canvas import axes_or_new
from sim.errors import ConfigurationError
from sim.op import Op
from sim.trace import Trace

FILL = {Op.F: "sky", Op.B: "orange", Op.I: "orange", Op.W: "yellow", Op.U: "grey"}
MEANING = {Op.F: "forward", Op.B: "backward", Op.I: "backward, for the input",
           Op.W: "backward, for the weights", Op.U: "update"}
MOST_NAMES = 400  # boxes; more of them and no name could be read
HALF = 0.35  # of a box's height, where devices are 1 apart


def timeline(trace: Trace, ax: Axes | None = None, *, minibatch: int | None = None) -> Axes:
    """Draw every pass as a box from its start to its end (seconds), a line per device.

    Boxes are named as the papers do (`4F` a forward, the bare `4` its backward); `minibatch`
    (from 1) is drawn in full colour with the version each of its passes read, by time unit where
    that is defined (`W4`), else by updates (`v3`), and all others pale.

    Raises ConfigurationError where there is no such mini-batch.
    """
    if minibatch is not None:
        _refuse_absent(trace, minibatch)
    ax = axes_or_new(ax, height_in=1.2 + 0.32 * trace.shape.devices)
    rows = np.flatnonzero(np.isin(trace.op, list(FILL)) & (trace.end_s > trace.start_s))
    mine = (np.ones(len(rows), dtype=bool) if minibatch is None
            else trace.minibatch[rows] == minibatch)
    _boxes(ax, trace, rows, mine)
    if len(rows) <= MOST_NAMES:
        _names(ax, trace, rows, mine)
    if minibatch is not None:
        _versions(ax, trace, rows[mine])
    _frame(ax, trace, rows)
    return ax


def _refuse_absent(trace: Trace, minibatch: int) -> None:
    try:
        round_trip(trace, minibatch)
    except ValueError as error:
        raise ConfigurationError([f"minibatch: {error}"]) from None


def _boxes(ax: Axes, trace: Trace, rows: np.ndarray, mine: np.ndarray) -> None:
    """One collection per device and operation, those of other mini-batches pale."""
    for device in range(trace.shape.devices):
        for op, colour in FILL.items():
            for full in (True, False):
                some = rows[(trace.device[rows] == device) & (trace.op[rows] == op)
                            & (mine == full)]
                spans = np.column_stack((trace.start_s[some],
                                         trace.end_s[some] - trace.start_s[some]))
                ax.broken_barh(spans.tolist(), (device - HALF, 2 * HALF), linewidth=0.5,
                               facecolor=COLOURS[colour], alpha=1.0 if full else 0.25,
                               edgecolor=COLOURS["black"] if full else COLOURS["grey"])


def _names(ax: Axes, trace: Trace, rows: np.ndarray, mine: np.ndarray) -> None:
    for row, full in zip(rows.tolist(), mine.tolist(), strict=True):
        ax.text((trace.start_s[row] + trace.end_s[row]) / 2, trace.device[row], name(trace, row),
                ha="center", va="center", fontsize=7, clip_on=True,
                color=COLOURS["black" if full else "grey"])


def _versions(ax: Axes, trace: Trace, rows: np.ndarray) -> None:
    labels = "time-unit" if has_time_units(trace) else "updates"
    for row in rows.tolist():
        if trace.op[row] != Op.U:
            ax.text((trace.start_s[row] + trace.end_s[row]) / 2, trace.device[row] - HALF,
                    version_label(trace, row, labels), ha="center", va="bottom", fontsize=7,
                    fontweight="bold", color=COLOURS["blue"], clip_on=True)


def _frame(ax: Axes, trace: Trace, rows: np.ndarray) -> None:
    devices = trace.shape.devices
    ax.set_ylim(devices - 0.4, -0.75)
    ax.set_yticks(range(devices), [f"device {device}" for device in range(devices)])
    ax.set_xlim(0, max(float(trace.end_s.max(initial=0.0)), 1e-12))
    ax.set_xlabel("time (s)")
    shown = [op for op in FILL if (trace.op[rows] == op).any()]
    ax.legend(handles=[Patch(facecolor=COLOURS[FILL[op]], label=MEANING[op]) for op in shown],
              loc="lower right", bbox_to_anchor=(1, 1), ncols=len(shown) or 1, frameon=False)
