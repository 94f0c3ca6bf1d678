"""What a sweep found: one number over one key, a line for each value of another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize, to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from figures.drawing.colours import COLOURS
from figures.drawing.look import Look
from figures.drawing.scales import log_numbers
from figures.drawing.style import headline, legend_below
from figures.sweeps.points import message, points_of, shown
from figures.sweeps.table import Table, is_number, read
from figures.sweeps.words import Quantity
from figures.traces.canvas import axes_or_new
from figures.traces.strokes import Stroke, strokes
from sim.rows import Row, Rows

SPANNED = 20.0  # the largest over the smallest from which on an axis is logarithmic
FEW_TICKS = 8  # values of x that each get a tick
MANY = 6  # lines of a numeric key from which on a scale of colours tells them apart
TALLEST_IN = 3.2  # of the axes with its numbers
MARGIN = 0.04  # of the width beside the outermost points
MARK, BAND = 4.0, 0.18  # a mark's size in points; how strong a band is
# dark to light without the lightest, so that a line is seen on white and the order in grey
SCALE = LinearSegmentedColormap.from_list("late", ["#08306B", "#2171B5", "#41AB8A", "#C7B42C"])


def sweep(table: Table, ax: Axes | None = None, *, x: str, y: str, by: str | None = None) -> Axes:
    """Draw a number of a sweep's table over one of its keys, a line for each value of another.

    `table` is the `table.csv` that `python -m sim sweep` wrote, or its rows; `x`, `y` and `by` are
    columns, in full or by their last part (`learning_rate`).  Points that differ in other keys are
    a line through their mean, in a band from the lowest to the highest; a point run under three
    seeds or more has bars of one standard deviation.  Axes are logarithmic where values span
    decades.  A point whose training diverged is a cross at the upper edge.

    Raises ConfigurationError where the table has no such column, or no numbers in it.
    """
    rows = rows_of(table, x, y, by)
    ax = axes_or_new(ax)
    draw_points(ax, rows)
    if ax.get_legend_handles_labels()[1]:
        ax.legend(frameon=False, title=shown(rows, "by").label)
    return ax


def rows_of(table: Table, x: str, y: str, by: str | None) -> Rows:
    """What is drawn of a sweep's table, a row per point.  Raises ConfigurationError."""
    found = read(table)
    across, up = found.column("--x", x), found.number("--y", y)
    return points_of(found, across, up, None if by is None else found.column("--by", by))


def draw(rows: Rows, look: Look) -> Figure:
    """The picture of a sweep in a look; the names of the lines stand below it."""
    figure = look.figure(min(0.62 * look.width_in, TALLEST_IN) + 0.35)
    axis = figure.subplots()
    draw_points(axis, rows)
    handles, labels = axis.get_legend_handles_labels()
    if labels:
        legend_below(figure, (handles, labels), None, title=shown(rows, "by").label)
    headline(figure, look.above(message(rows)), note(rows))
    return figure


def note(rows: Rows) -> str:
    """What bands, bars and crosses mean, and what is not there."""
    said = []
    over = sorted({row["over"] for row in rows if row["over"]})
    if "seeds" in over:
        said.append("bars: one standard deviation over seeds")
    if "two seeds" in over:
        said.append("bars: both seeds")
    keys = [each for each in over if each not in ("seeds", "two seeds")]
    if keys:
        said.append(f"line: mean over {', '.join(keys)}; band: lowest to highest")
    if not rows[0]["lined"] and rows[0]["also"]:
        said.append(f"points differ in {rows[0]['also']} too")
    if any(row["diverged"] for row in rows):
        said.append(f"✕: {sum(row['diverged'] for row in rows)} diverged")
    if rows[0]["failed"]:
        said.append(f"{rows[0]['failed']} points failed and are left out")
    return "; ".join(said)


def draw_points(ax: Axes, rows: Rows) -> None:
    """Draw the points of `rows_of` on axes, with their labels and scales."""
    x, y = shown(rows, "x"), shown(rows, "y")
    names = _names(rows)
    lines = list(dict.fromkeys(row["by"] for row in rows))
    colours = _of_numbers(ax, rows, lines) or _of_names(rows, lines)
    labelled = rows[0]["by_key"] is not None and len({colour for colour, *_ in colours}
                                                     ) == len(lines) and not _scaled(rows, lines)
    for line, stroke in zip(lines, colours, strict=True):
        some = [row for row in rows if row["by"] == line and row["y"] is not None]
        label = shown(rows, "by").said(line) if labelled else None
        _line(ax, some, names, (x, y), stroke, label)
    _frame(ax, rows, names)
    for line, stroke in zip(lines, colours, strict=True):
        _crosses(ax, [row for row in rows if row["by"] == line and row["diverged"]], names,
                 stroke[0])


def _line(ax: Axes, rows: Rows, names: list[Any], units: tuple[Quantity, Quantity],
          stroke: Stroke, label: str | None) -> None:
    """A line through means, with a band where they are over keys, with bars where over seeds."""
    colour, line, mark = stroke
    at = np.array([_place(row["x"], names, units[0]) for row in rows])
    up, low, high = (units[1].factor * np.array([_or_nan(row[name]) for row in rows])
                     for name in ("y", "low", "high"))
    seeds = np.array([str(row["over"]).endswith("seeds") for row in rows], dtype=bool)
    lined = bool(rows) and rows[0]["lined"]
    ax.plot(at, up, color=colour, linestyle=line if lined else "", marker=mark, markersize=MARK,
            label=label)
    bars = seeds & np.isfinite(low)
    if bars.any():
        ax.errorbar(at[bars], up[bars], np.abs([up - low, high - up])[:, bars], fmt="none",
                    ecolor=colour, elinewidth=0.8, capsize=2)
    band = ~seeds & np.isfinite(low)
    if band.any():
        ax.fill_between(at, np.where(band, low, up), np.where(band, high, up), color=colour,
                        alpha=BAND, linewidth=0)


def _crosses(ax: Axes, rows: Rows, names: list[Any], colour: str) -> None:
    """A cross at the upper edge where trainings diverged."""
    for row in rows:
        ax.plot(_place(row["x"], names, shown(rows, "x")), 1.0, marker="x", color=colour,
                markersize=1.4 * MARK, markeredgewidth=1.2, clip_on=False, linestyle="",
                transform=ax.get_xaxis_transform(), scalex=False, scaley=False)


def _frame(ax: Axes, rows: Rows, names: list[Any]) -> None:
    """Labels, scales and ticks."""
    x, y = shown(rows, "x"), shown(rows, "y")
    ax.set(xlabel=x.label, ylabel=y.label)
    across = [] if names else sorted({row["x"] * x.factor for row in rows})
    if names:
        ax.set_xticks(range(len(names)), [str(name) for name in names])
        ax.set_xlim(-0.4, len(names) - 0.6)
    elif _logarithmic(across) or _geometric(across):
        ax.set_xscale("log")
        ax.set_xlim(across[0] * (across[0] / across[-1]) ** MARGIN,
                    across[-1] * (across[-1] / across[0]) ** MARGIN)
    elif len(across) > 1:
        more = MARGIN * (across[-1] - across[0])
        ax.set_xlim(across[0] - more, across[-1] + more)
    if across and len(across) <= FEW_TICKS:
        ax.xaxis.set_major_locator(FixedLocator(across))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
        ax.xaxis.set_minor_locator(NullLocator())
    elif ax.get_xscale() == "log":
        log_numbers(ax, "x")
    ends = [row[name] for row in rows for name in ("y", "low", "high") if row[name] is not None]
    if _logarithmic(ends):
        log_numbers(ax)
    ax.grid(axis="y")


def _logarithmic(values: Sequence[float]) -> bool:
    """Whether values, all above 0, span so much that an axis of theirs is logarithmic."""
    return bool(values) and min(values) > 0 and max(values) >= SPANNED * min(values)


def _geometric(values: Sequence[float]) -> bool:
    """Whether sorted values grow by one factor, as 2, 4, 8 do."""
    if len(values) < 3 or values[0] <= 0:
        return False
    ratios = [b / a for a, b in pairwise(values)]
    return ratios[0] > 1.4 and all(math.isclose(each, ratios[0], rel_tol=1e-6) for each in ratios)


def _names(rows: Rows) -> list[Any]:
    """The values of x in their order, where they are not all numbers."""
    values = list(dict.fromkeys(row["x"] for row in rows))
    return [] if all(map(is_number, values)) else values


def _place(value: Any, names: list[Any], unit: Quantity) -> float:
    return float(names.index(value)) if names else float(value * unit.factor)


def _or_nan(value: Any) -> float:
    return math.nan if value is None else float(value)


def _scaled(rows: Rows, lines: list[Any]) -> bool:
    """Whether lines are told apart by a scale of colours."""
    return rows[0]["by_key"] is not None and len(lines) > MANY and all(map(is_number, lines))


def _of_numbers(ax: Axes, rows: Rows, lines: list[Any]) -> list[Stroke]:
    """A colour of one scale for each of many numbers, and the scale beside the axes; else none."""
    if not _scaled(rows, lines):
        return []
    norm = (LogNorm if _logarithmic(lines) else Normalize)(min(lines), max(lines))
    colours = ScalarMappable(norm, SCALE)
    figure = ax.get_figure(root=True)
    if figure is not None:
        figure.colorbar(colours, ax=ax, label=shown(rows, "by").label)
    return [(to_hex(SCALE(norm(line))), "-", "o") for line in lines]


def _of_names(rows: Rows, lines: list[Any]) -> list[Stroke]:
    """A stroke for each line; a mitigation has its own of everywhere."""
    if rows[0]["by_key"] is None:
        return [(COLOURS["blue"], "-", "o")]
    plain = [str(line).partition(":")[0].partition("(")[0] for line in lines]
    named: list[Row] = [{"mitigation": name, "schedule": "round-robin", "microbatches": 1}
                        for name in plain]
    return strokes(named)
