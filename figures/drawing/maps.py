"""Tables of numbers as maps: a cell's colour by its value, the number in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from figures.drawing.style import SMALLEST_PT
from sim.arrays import Floats

LUMINANCE = (0.299, 0.587, 0.114)  # of red, green, blue, to write white on dark alone
UNKNOWN = "#F4F4F4"  # a cell without a value


def number_map(axis: Axes, values: Floats, texts: Sequence[Sequence[str]], colours: dict[str, Any],
               size_pt: float = SMALLEST_PT) -> Any:
    """Draw values (rows, columns) as coloured cells with `texts` of that shape; the first row is
    at the top.

    `colours` are matplotlib's `cmap` and `norm`, of one hue or at least of one direction in
    lightness, so that the map can be read in grey.  NaN has no colour.  Returns what a colour bar
    takes.
    """
    image = axis.imshow(np.ma.masked_invalid(values), aspect="auto", **colours)
    axis.set_facecolor(UNKNOWN)
    for (row, column), value in np.ndenumerate(values):
        shade = image.to_rgba(np.asarray(value))[:3] if np.isfinite(value) else (1, 1, 1)
        dark = np.dot(shade, LUMINANCE) < 0.5
        axis.text(column, row, texts[row][column], ha="center", va="center", fontsize=size_pt,
                  linespacing=1.15, color="white" if dark else "black")
    axis.set_xticks(np.arange(values.shape[1] + 1) - 0.5, minor=True)
    axis.set_yticks(np.arange(values.shape[0] + 1) - 0.5, minor=True)
    axis.grid(which="minor", color="white", linewidth=0.8)
    axis.tick_params(which="both", length=0)
    axis.spines[:].set_visible(False)
    return image


def frame_cell(axis: Axes, row: int, column: int) -> None:
    """A black frame around one cell of a map."""
    axis.add_patch(Rectangle((column - 0.47, row - 0.45), 0.94, 0.9, fill=False, linewidth=1.5,
                             edgecolor="black", zorder=4))
