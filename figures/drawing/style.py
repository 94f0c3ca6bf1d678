"""One style for every figure: colour-blind safe, legible at the width it is printed in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from figures.drawing.colours import COLOURS

COLUMN_IN, PAGE_IN = 3.5, 7.2  # printed width: one column, or both
SMALLEST_PT = 7.0  # no text is smaller
HEADLINE_PT, NOTE_PT, LEADING = 8.5, 7.0, 1.32
HINTING = 1.05  # glyphs fitted to pixels are up to so much wider than their outlines

mpl.rcParams.update({
    "font.family": "DejaVu Sans", "font.size": 7.5, "axes.titlesize": 8, "axes.labelsize": 7.5,
    "xtick.labelsize": 7, "ytick.labelsize": 7, "legend.fontsize": 7, "legend.frameon": False,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
    "axes.linewidth": 0.7, "xtick.major.width": 0.7, "ytick.major.width": 0.7,
    "grid.color": COLOURS["pale"], "grid.linewidth": 0.5, "lines.linewidth": 1.2,
    "axes.formatter.use_mathtext": True, "figure.dpi": 160, "savefig.dpi": 160,
    "svg.hashsalt": "pipestale", "svg.fonttype": "none", "pdf.fonttype": 42,
})


def new_figure(width_in: float, height_in: float) -> Figure:
    """An empty figure, laid out so that nothing overlaps."""
    return Figure(figsize=(width_in, height_in), layout="constrained")


def headline(figure: Figure, message: str, note: str = "") -> None:
    """The message in bold above everything, below it what was done; the layout leaves room."""
    width = 72 * (figure.get_figwidth() - 0.1)
    lines = [(line, HEADLINE_PT, "bold") for line in wrapped(message, width, HEADLINE_PT, "bold")]
    lines += [(line, NOTE_PT, "normal") for line in wrapped(note, width, NOTE_PT, "normal")]
    height, used = 72 * figure.get_figheight(), 3.0
    for line, size, weight in lines:
        figure.text(0.05 / figure.get_figwidth(), 1 - used / height, line, ha="left", va="top",
                    fontsize=size, fontweight=weight)
        used += LEADING * size
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(rect=(0, 0, 1, 1 - (used + 3) / height))  # type: ignore[call-arg]


def wrapped(text: str, width_pt: float, size_pt: float, weight: str) -> list[str]:
    """`text` in lines no longer than `width_pt`, as measured in the font it is set in."""
    font = FontProperties(family="DejaVu Sans", weight=weight, size=size_pt)
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        # corners of the outlines' hulls, since their exact extents take twenty times as long
        fits = HINTING * np.ptp(TextPath((0, 0), longer, prop=font).vertices[:, 0]) <= width_pt
        if lines and fits:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def shaded_table(axis: Axes, values: Any, names: Sequence[str], top: float,
                 text: Callable[[float], str]) -> None:
    """Numbers (names, stages) as a table, each cell's `text` in it; darker is staler.

    `top` is the value that is nearly darkest; beyond 0.9 of it the text is white.
    """
    axis.imshow(values, cmap="Blues", vmin=0, vmax=1.4 * top, aspect="auto")
    for (m, k), value in np.ndenumerate(values):
        axis.text(k, m, text(value), ha="center", va="center", fontsize=7,
                  color="white" if value > 0.9 * top else "black")
    axis.set_xticks(range(values.shape[1]))
    axis.set_yticks(range(len(names)), names)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)


def legend_below(figure: Figure, entries: tuple[Any, Any], columns: int) -> None:
    """One legend for all panels, under them; `entries` are handles and labels."""
    figure.legend(*entries, loc="outside lower center", ncols=columns,
                  columnspacing=1.4, handlelength=2.4)
