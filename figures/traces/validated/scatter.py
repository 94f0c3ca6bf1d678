"""Predicted against measured: step and peak memory of every run, and how far off each is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from figures.drawing.colours import COLOURS
from figures.drawing.labels import label
from figures.drawing.look import Look
from figures.drawing.style import headline
from figures.traces.validated.settings import colour, markers, method, program, setting
from sim.rows import Row, Rows

WIDE = 0.05  # share; the outer band, and what is named beyond it
NARROW_IN = 5.0  # below it panels are one below the other
NAMED = 6  # runs at most, those that are furthest off
LINEAR = 5.0  # percent, up to which the scale of errors is linear
PERCENTS = (-100, -20, -5, -2, 0, 2, 5, 20, 100, 500)
MANY = 100  # percent: of a scale that far the ticks at 2 % would touch that at 0
DECADES = ((1,), (1, 2, 5), (1, 1.5, 2, 3, 5, 7),
           (1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9))
FEW = 3  # ticks, at least


@dataclass(frozen=True)
class Quantity:
    """What one column of the picture shows: its name, the unit it is given in, and the aim."""

    name: str
    label: str
    unit: float
    aim: float


QUANTITIES = (Quantity("step_s", "step (ms)", 1e-3, 0.02),
              Quantity("memory_bytes", "peak memory (MB)", 1e6, 0.03))


def chosen(reports: Iterable[Mapping[str, Any]]) -> Rows:
    """A row per run of some validation reports: step and peak memory, predicted and measured.

    Of several devices the memory is that of the one predicted worst.
    """
    rows = []
    for report in reports:
        for run in report["runs"]:
            known = [each for each in run["memory"] if each["rel_error"] is not None]
            worst: Row = max(known, key=lambda each: each["rel_error"], default={})
            rows.append({
                "model": run.get("model", report["model"]), **{name: run[name] for name in (
                    "batch_size", "image_size", "mitigation", "schedule", "microbatches")},
                "run": run["label"], "graphs": run.get("graphs", False),
                **{f"{side}_step_s": run["statistical"][f"step_time_{side}_s"]
                   for side in ("predicted", "measured")},
                **{f"{side}_memory_bytes": worst.get(f"{side}_bytes")
                   for side in ("predicted", "measured")}})
    return rows


def off(row: Row, quantity: Quantity) -> float | None:
    """By which share a prediction is above what was measured; None where either is missing."""
    predicted, measured = (row[f"{side}_{quantity.name}"] for side in ("predicted", "measured"))
    return None if not predicted or not measured else predicted / measured - 1


def message(rows: Sequence[Row]) -> str:
    """The headline: how many runs are within the aims."""
    said = []
    for quantity, what in zip(QUANTITIES, ("the step", "peak memory"), strict=True):
        found = [abs(share) for row in rows if (share := off(row, quantity)) is not None]
        met = sum(share <= quantity.aim for share in found)
        said.append(f"{what} of {met} of {len(found)} runs ({100 * quantity.aim:.0f} %)")
    return f"Predicted within the aims: {', '.join(said)}"


def draw(rows: Sequence[Row], look: Look | None = None) -> Figure:
    """Above predicted against measured on log axes, below how far each run is off in percent; one
    quantity below the other where it is narrow."""
    look = look or Look()
    narrow, size = look.width_in < NARROW_IN, float(mpl.rcParams["xtick.labelsize"])
    shapes = markers(rows)
    figure = look.figure((8.0 if narrow else 5.4) + 0.08 * len(shapes))
    said = look.above(message(rows))
    if said:
        headline(figure, said, "" if look.title else "Runs further off than 5 % are named, at most "
                 "six; scale of errors: linear up to 5 %, then logarithmic")
    if narrow:
        axes = figure.subplots(4, 1, height_ratios=(1.1, 1, 1.1, 1)).reshape(2, 2).T
    else:
        axes = figure.subplots(2, 2, sharex="col", height_ratios=(1.25, 1))
    for column, quantity in zip(axes.T, QUANTITIES, strict=True):
        if narrow:
            column[1].sharex(column[0])
            column[0].tick_params(labelbottom=False)
        known = [row for row in rows if off(row, quantity) is not None]
        identity(column[0], known, quantity, shapes)
        errors(column[1], known, quantity, shapes)
    figure.align_ylabels()
    figure.legend(*entries(rows, shapes), ncols=2 if narrow else 4, loc="outside lower center",
                  columnspacing=1.4, handlelength=1.4)
    for axis, quantity in zip(axes[1], QUANTITIES, strict=True):
        _names(axis, [row for row in rows if off(row, quantity) is not None], quantity, size)
    return figure


def identity(axis: Axes, rows: Sequence[Row], quantity: Quantity, shapes: Mapping[str, str]
             ) -> None:
    """Draw predicted against measured, a mark for each run; `shapes` are its marks by setting."""
    values = [row[f"{side}_{quantity.name}"] / quantity.unit for row in rows
              for side in ("predicted", "measured")]
    low, high = min(values, default=1) / 1.4, max(values, default=1) * 1.4
    line = np.array([low, high])
    for share, strength in ((WIDE, 0.5), (quantity.aim, 1.0)):
        axis.fill_between(line, line * (1 - share), line * (1 + share), linewidth=0,
                          color=COLOURS["pale"], alpha=strength)
    axis.plot(line, line, color=COLOURS["grey"], linewidth=0.6)
    axis.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high),
             ylabel=f"predicted {quantity.label}")
    for each in (axis.xaxis, axis.yaxis):
        each.set_major_locator(FixedLocator(_ticks(low, high)))
        each.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        each.set_minor_locator(NullLocator())
    _marks(axis, rows, quantity, shapes, "predicted")


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers between two values, no more of every decade than is needed for a few."""
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    for steps in DECADES:
        ticks = [round(step * 10.0**d, 9) for d in decades for step in steps
                 if low <= step * 10.0**d <= high]
        if len(ticks) >= FEW:
            break
    return ticks


def errors(axis: Axes, rows: Sequence[Row], quantity: Quantity, shapes: Mapping[str, str]) -> None:
    """Draw how far each run's prediction is off, in percent, against what was measured."""
    for share, strength in ((WIDE, 0.5), (quantity.aim, 1.0)):
        axis.axhspan(-100 * share, 100 * share, color=COLOURS["pale"], alpha=strength, linewidth=0)
    axis.axhline(0, color=COLOURS["grey"], linewidth=0.6)
    axis.set_yscale("symlog", linthresh=LINEAR, linscale=1.0)
    reach = max([4 * LINEAR, *(100 * abs(off(row, quantity) or 0) * 2 for row in rows)])
    axis.set_ylim(-reach, reach)
    axis.yaxis.set_major_locator(FixedLocator([
        p for p in PERCENTS if abs(p) <= reach and (abs(p) != 2 or reach < MANY)]))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+g}" if value else "0"))
    axis.yaxis.set_minor_formatter(NullFormatter())
    axis.yaxis.set_minor_locator(NullLocator())
    axis.set(xlabel=f"measured {quantity.label}", ylabel="predicted too high (%)")
    _marks(axis, rows, quantity, shapes, None)


def _marks(axis: Axes, rows: Sequence[Row], quantity: Quantity, shapes: Mapping[str, str],
           side: str | None) -> None:
    """A mark for every run: its predicted value, or without `side` its error in percent."""
    for row in rows:
        x = row[f"measured_{quantity.name}"] / quantity.unit
        y = (100 * (off(row, quantity) or 0.0) if side is None
             else row[f"{side}_{quantity.name}"] / quantity.unit)
        shade = colour(method(row))
        axis.plot(x, y, marker=shapes[setting(row)], markersize=5, linestyle="", zorder=3,
                  markeredgecolor=shade, markeredgewidth=1.0, clip_on=False,
                  markerfacecolor="white" if row["microbatches"] > 1 else shade)


def _names(axis: Axes, rows: Sequence[Row], quantity: Quantity, size_pt: float) -> None:
    """The program of runs that are further off than the outer band, beside their marks."""
    at = np.array([[row[f"measured_{quantity.name}"] / quantity.unit,
                    100 * (off(row, quantity) or 0.0)] for row in rows]).reshape(-1, 2)
    furthest = np.argsort(-np.abs(at[:, 1]), kind="stable")[:NAMED]
    far = np.isin(np.arange(len(at)), furthest) & (np.abs(at[:, 1]) > 100 * WIDE)
    texts = [program(row) for row, named in zip(rows, far, strict=True) if named]
    label(axis, at[far], texts, at[~far], size_pt=size_pt, weight="normal")


def entries(rows: Sequence[Row], shapes: Mapping[str, str]) -> tuple[list[Any], list[str]]:
    """Handles and labels of a legend: the bands, a mark for each setting, a colour a method."""
    dark = COLOURS["black"]
    marks: dict[str, Any] = {
        name: Line2D([], [], color=dark, marker=shape, linestyle="", markersize=5)
        for name, shape in shapes.items()}
    if len({row["microbatches"] > 1 for row in rows}) > 1:
        marks["cut into micro-batches"] = Line2D([], [], color=dark, marker="o", linestyle="",
                                                 markersize=5, markerfacecolor="white")
    marks["within the aim"] = Patch(facecolor=COLOURS["pale"])
    marks[f"within {100 * WIDE:.0f} %"] = Patch(facecolor=COLOURS["pale"], alpha=0.5)
    for name in dict.fromkeys(method(row) for row in rows):
        marks[name] = Patch(facecolor=colour(name))
    return list(marks.values()), list(marks)
