"""Numbers by name and stage as shaded tables: one scale and one number of decimals a line of them.

Panels of one line show one quantity, so that equal numbers have equal shades in all of them.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from figures.drawing.style import points
from sim.arrays import Floats

SHADES = "Blues"  # lightness falls all the way, so it is the same picture in grey
DARK = 0.64  # of the scale; beyond it text is white
ROOM = 1.4  # the scale's end over the value that is nearly darkest
GLYPH_EM, PAD_PT = 0.62, 3.0  # a digit's width in its font's size; room beside a number
LABELLED = 0.8  # of an axis's place, what its labels leave it
SCALE_PT = 40.0  # what a scale beside a panel takes of it
LETTER_EM = 0.53  # the mean width of a letter
NAMES_SHARE = 0.25  # of the width that names may have before they are broken
FINEST = 0.01  # of the largest value: what rounding may take from it
BREAKS = re.compile(r"(?<=[-_/. ])")


class Line(NamedTuple):
    """Panels that show one quantity: a title and numbers (names, columns) for each.

    `unit` stands beside the scale where cells are too narrow for numbers.
    """

    titles: Sequence[str]
    values: Sequence[Floats]
    unit: str

    @property
    def finite(self) -> Floats:
        """All the numbers there are, (numbers,)."""
        whole: Floats = np.concatenate([np.ravel(each) for each in self.values])
        return np.asarray(whole[np.isfinite(whole)])

    @property
    def top(self) -> float:
        """Where the one scale of all panels ends: beyond all but a few outliers."""
        known = np.abs(self.finite)
        usual = float(np.quantile(known, 0.95)) if known.size else 0.0
        return ROOM * (usual or float(known.max(initial=0.0)) or 1.0)

    @property
    def scale(self) -> Normalize:
        """The one scale of all panels, from 0."""
        return Normalize(0, self.top)

    @property
    def text(self) -> Callable[[float], str]:
        """How every number of the line is written."""
        return written(self.finite)


class Layout(NamedTuple):
    """How tables fit: how many panels stand side by side, whether numbers fit their cells, the
    names as they are broken into lines, and the height of all in inches."""

    across: int
    numbers: bool
    broken: list[str]
    height_in: float


def decimals(values: Floats) -> int:
    """How many decimals all of `values`, (numbers,), are written with: the fewest by which none
    loses more than a little of the largest."""
    most = FINEST * float(np.abs(values).max(initial=0.0))
    return next((d for d in range(6) if (np.abs(values - np.round(values, d)) <= most).all()), 6)


def written(values: Floats) -> Callable[[float], str]:
    """A way to write numbers like `values`, (numbers,): one number of decimals, `0` where there is
    nothing at all, a dash where there is no number."""
    places = decimals(values)
    return lambda value: ("–" if not np.isfinite(value) else "0" if value == 0
                          else f"{value:.{places}f}")


def layout(width_in: float, lines: Sequence[Line], names: Sequence[str], columns: int) -> Layout:
    """How the lines' panels fit a width, with text of the size that matplotlib is set to.

    Side by side where the numbers have room so, else one above the other where they have it then;
    else side by side with a scale in place of numbers.
    """
    size = points("ytick.labelsize")
    broken = [name_broken(name, NAMES_SHARE * 72 * width_in, size) for name in names]
    left = (LETTER_EM * size * max(len(part) for name in broken for part in name.split("\n"))
            + size)
    longest = max((len(line.text(value)) for line in lines for each in line.values
                   for value in np.ravel(each).tolist()), default=1)
    numbers = columns * (GLYPH_EM * size * longest + PAD_PT)
    titles = LETTER_EM * points("axes.titlesize") * max(
        len(title) for line in lines for title in line.titles)
    most = max(len(line.values) for line in lines)
    ways = [(across, shown, max(numbers, titles) if shown else titles + SCALE_PT)
            for shown in (True, False) for across in dict.fromkeys((most, 1))]
    across, shown = next(((across, shown) for across, shown, wanted in ways
                          if (72 * width_in - left - 10 * across) / across >= wanted), (1, False))
    scale = 0.0 if shown else LETTER_EM * max(len(line.unit) for line in lines) + 1
    return Layout(across, shown, broken, _height(lines, broken, across, scale) * size / 72)


def _height(lines: Sequence[Line], broken: Sequence[str], across: int, least: float) -> float:
    """Height in lines of text; a panel is at least `least` of them high."""
    rows = max(least, sum(1.05 + name.count("\n") * 1.1 for name in broken) * 1.5)
    bands = sum(-(-len(line.values) // across) for line in lines)
    return bands * (rows + 2.6) + 3.5


def name_broken(name: str, width_pt: float, size: float) -> str:
    """A name in lines of at most about `width_pt`, broken where words end; at most three."""
    most = max(6, int(width_pt / (GLYPH_EM * size)))
    lines = [""]
    for part in BREAKS.split(name):
        for piece in textwrap.wrap(part, most, drop_whitespace=False) or [part]:
            if len(lines[-1] + piece.rstrip()) <= most or not lines[-1]:
                lines[-1] += piece
            else:
                lines.append(piece)
    return "\n".join(line.strip() for line in lines)


def tables(figure: Figure, found: Layout, lines: Sequence[Line], stages: Sequence[int]) -> None:
    """Draw all lines into `figure` as `layout` found them to fit; columns are `stages`."""
    bands = [(line, list(range(first, min(first + found.across, len(line.values)))))
             for line in lines for first in range(0, len(line.values), found.across)]
    axes = figure.subplots(len(bands), found.across, sharex=True, sharey=True, squeeze=False)
    for (line, panels), row in zip(bands, axes, strict=True):
        for panel, axis in zip(panels, row, strict=False):
            table(axis, line.values[panel], found.broken, stages, line.scale,
                  line.text if found.numbers else None)
            axis.set_title(line.titles[panel])
        for axis in row[len(panels):]:
            axis.set_axis_off()
        if not found.numbers:
            scale_beside(figure, row[: len(panels)], line)
    for axis in axes[-1]:
        axis.set_xlabel("stage")


def table(axis: Axes, values: Floats, names: Sequence[str], stages: Sequence[int],
          scale: Normalize, text: Callable[[float], str] | None) -> None:
    """One table: `values` (names, stages) shaded by `scale`, with their `text` in the cells."""
    axis.imshow(values, cmap=SHADES, norm=scale, aspect="auto")
    if text is not None:
        for (m, k), value in np.ndenumerate(values):
            axis.text(k, m, text(value), ha="center", va="center",
                      fontsize=points("ytick.labelsize"),
                      color="white" if scale(value) > DARK else "black")
    label_stages(axis, stages)
    axis.set_yticks(range(len(names)), names)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)


def label_stages(axis: Axes, stages: Sequence[int]) -> None:
    """Name the places 0, 1, … of an axis by the stages there; of many only some."""
    size, number = points("xtick.labelsize"), len(stages)
    most = max(2, int(width_pt(axis) / (size * (GLYPH_EM * len(str(max(stages))) + 0.9))))
    places = (range(number) if number <= most else
              [int(at) for at in MaxNLocator(most, integer=True).tick_values(0, number - 1)
               if 0 <= at < number])
    axis.set_xticks(list(places), [str(stages[place]) for place in places])


def width_pt(axis: Axes) -> float:
    """About the width of an axis in points, before its figure is laid out: labels take their share
    of what it is given."""
    figure = axis.get_figure()
    inches = 4.0 if figure is None else figure.bbox.width / figure.dpi
    return LABELLED * 72 * inches * axis.get_position().width


def scale_beside(figure: Figure, axes: Sequence[Axes], line: Line) -> None:
    """What shades mean, beside panels whose cells are too narrow for numbers."""
    beyond = bool(line.finite.size and line.finite.max() > line.top)
    bar = figure.colorbar(ScalarMappable(line.scale, SHADES), ax=list(axes), fraction=0.05,
                          pad=0.02, label=line.unit, extend="max" if beyond else "neither")
    bar.outline.set_visible(False)
