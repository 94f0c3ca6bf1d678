"""Bytes by kind over time on given axes, in one unit for all of a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from figures.drawing.colours import HELD
from figures.drawing.tables import written
from sim.arrays import Floats
from sim.rows import Rows

COLUMNS = {"weights": "weight_bytes", "stash": "stash_bytes", "copies": "copy_bytes",
           "activations": "activation_bytes"}
NAMES = {"weights": "newest weights", "stash": "older versions", "copies": "copies for one pass",
         "activations": "activations"}
LIMIT = "activation_limit_bytes"
BYTES = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("bytes", 1.0))
SECONDS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))
HEAD = 1.32  # of the axis over the highest peak, so that its number has room
DASHED = (0, (4, 2))


def unit_of(most: float, units: tuple[tuple[str, float], ...] = BYTES) -> tuple[str, float]:
    """The unit in which `most` and all less are told, and its size in that of `most`."""
    return next(((name, size) for name, size in units if most >= size), units[-1])


def total(row: Mapping[str, Any]) -> float:
    """All bytes of a row."""
    return float(sum(row.get(column) or 0.0 for column in COLUMNS.values()))


def fullest(rows: Rows) -> dict[str, Any]:
    """The first row of those that hold most."""
    return max(rows, key=total)


def highest(rows: Rows) -> float:
    """The highest thing that is drawn of rows, in bytes: a moment, or the limit over what is
    beside activations."""
    return float(max(total(row) + max(0.0, (row.get(LIMIT) or 0.0) - row["activation_bytes"])
                     for row in rows))


def peaks_text(rows: Rows, size: float) -> Callable[[float], str]:
    """How all peaks of a picture are written, in units of `size` bytes."""
    peaks = [total(fullest(mine)) / size for mine in grouped(rows, "run", "place").values()]
    return written(np.array(peaks))


def grouped(rows: Rows, *keys: str) -> dict[Any, Rows]:
    """Rows by what they have under the keys, in order: a tuple where there are several."""
    groups: dict[Any, Rows] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys) if len(keys) > 1 else row[keys[0]],
                          []).append(row)
    return groups


def stacked(axis: Axes, rows: Rows, size: float, text: Callable[[float], str],
            second: float = 1.0) -> None:
    """What one stage or device holds: the kinds one on the other, each until the next moment.

    `rows` are those of one place, as `figures.traces.memory.rows` makes them; `size` is the unit
    of the axis in bytes, `second` that of time in seconds.  A dotted line marks the peak with its
    number, as `text` writes it, a dashed one how high the limit lets activations go.
    """
    times = [row["second"] / second for row in rows]
    heights = np.cumsum([[(row.get(column) or 0.0) / size for row in rows]
                         for column in COLUMNS.values()], axis=0)
    below: Floats = np.zeros(len(times))
    for height, colour in zip(heights, HELD.values(), strict=True):
        if (height > below).any():
            axis.fill_between(times, below, height, step="post", color=colour, linewidth=0)
        below = height
    if rows[0].get(LIMIT) is not None:
        axis.step(times, heights[-2] + rows[0][LIMIT] / size, where="post", color="black",
                  linewidth=1.0, linestyle=DASHED)
    most = float(below.max())
    axis.axhline(most, color="black", linewidth=0.6, linestyle=":")
    axis.annotate(text(most), (1, most), (-1, 2), xycoords=("axes fraction", "data"),
                  textcoords="offset points", ha="right", va="bottom",
                  fontsize=mpl.rcParams["ytick.labelsize"])
    axis.yaxis.set_major_locator(MaxNLocator(3))


def legend(rows: Rows) -> tuple[list[Artist], list[str]]:
    """Handles and names of the kinds that the rows have any of, and of the limit and the peak."""
    kinds = [kind for kind, column in COLUMNS.items() if any(row.get(column) for row in rows)]
    handles: list[Artist] = [Patch(facecolor=HELD[kind]) for kind in kinds]
    names = [*(NAMES[kind] for kind in kinds), "peak"]
    handles.append(Line2D([], [], color="black", linewidth=0.6, linestyle=":"))
    if any(row.get(LIMIT) is not None for row in rows):
        handles.append(Line2D([], [], color="black", linewidth=1.0, linestyle=DASHED))
        names.append("limit of activations")
    return handles, names
