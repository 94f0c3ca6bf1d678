"""One style for every figure: colour-blind safe, legible at the width it is printed in.

Importing this changes no setting of matplotlib: what draws and writes a picture does it inside
`styled()`, or inside the look that a user asked for (`figures.drawing.look`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from figures.drawing.colours import COLOURS

COLUMN_IN, PAGE_IN = 3.5, 7.2  # printed width: one column, or both
SMALLEST_PT = 7.0  # no text is smaller
ABOVE_PT, LEADING = 1.0, 1.32  # the message is so much larger than text; lines of it
LEGEND_LEADING = 1.6  # from one line of a legend to the next, in text sizes
# spaces inside a quantity: before its unit or ±, after a sign, and before an equals sign's name
BOUND = re.compile(r"(?<=\d) (?=(?:%|s|ms|kB|MB|GB|mini-batch(?:es)?|±|×)(?!\w))"
                   r"|(?<=[±=≥≤<>×]) (?=[\d.])|(?<=\b\w) (?=[=≥≤])")
TIE = "\N{NO-BREAK SPACE}"
HINTING = 1.05  # glyphs fitted to pixels are up to so much wider than their outlines

# stubs of matplotlib name every key that its settings may have, so these are Any
WRITING: Any = {  # equal pictures give equal files, whose text stays text
    "svg.hashsalt": "pipestale", "svg.fonttype": "none", "pdf.fonttype": 42}
STYLE: Any = {
    "font.family": ["DejaVu Sans"], "font.size": 7.5, "axes.titlesize": 8, "axes.labelsize": 7.5,
    "xtick.labelsize": 7, "ytick.labelsize": 7, "legend.fontsize": 7, "legend.frameon": False,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
    "axes.linewidth": 0.7, "xtick.major.width": 0.7, "ytick.major.width": 0.7,
    "grid.color": COLOURS["pale"], "grid.linewidth": 0.5, "lines.linewidth": 1.2,
    "axes.formatter.use_mathtext": True, "figure.dpi": 160, "savefig.dpi": 160, **WRITING}
# of the style worn now, the title asked for; None while none is worn
_WORN: ContextVar[tuple[str | None] | None] = ContextVar("worn", default=None)


@contextmanager
def styled(settings: Any = None, title: str | None = None) -> Iterator[None]:
    """Draw and write in this style; matplotlib's settings are as before afterwards.

    `settings` of matplotlib go over the style's own; `title` stands above a picture in place of
    its message (None: the message stays; empty: nothing stands there).  Where a style is worn
    already and nothing else is asked for, that one stays.
    """
    if settings is None and title is None and _WORN.get() is not None:
        yield
        return
    with mpl.rc_context({**STYLE, **(settings or {})}):
        before = _WORN.set((title,))
        try:
            yield
        finally:
            _WORN.reset(before)


def new_figure(width_in: float, height_in: float) -> Figure:
    """An empty figure, laid out so that nothing overlaps."""
    return Figure(figsize=(width_in, height_in), layout="constrained")


def headline(figure: Figure, message: str, note: str = "") -> None:
    """The message in bold above everything, below it what was done; the layout leaves room.

    Sizes are the text's own, at any width; a figure narrower than a page grows by the lines that a
    page would not need.  A title that was asked for stands in the message's place; where that is
    empty, or the message is, there is no note either.
    """
    (asked,) = _WORN.get() or (None,)
    message = message if asked is None else asked
    if not message:
        return
    large, small = points("font.size") + ABOVE_PT, points("legend.fontsize")
    texts = ((message, large, "bold"), (note, small, "normal"))
    lines = _set(texts, figure.get_figwidth())
    more = sum(size for _, size, _ in lines) - sum(size for _, size, _ in _set(texts, PAGE_IN))
    figure.set_figheight(float(figure.get_figheight() + LEADING * max(0.0, more) / 72))
    height, used = 72 * figure.get_figheight(), 3.0
    for line, size, weight in lines:
        figure.text(0.05 / figure.get_figwidth(), 1 - used / height, line, ha="left", va="top",
                    fontsize=size, fontweight=weight)
        used += LEADING * size
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(rect=(0, 0, 1, 1 - (used + 3) / height))  # type: ignore[call-arg]


def _set(texts: Sequence[tuple[str, float, str]], width_in: float
         ) -> list[tuple[str, float, str]]:
    """Lines of texts in a figure so wide: each with its size in points and its weight."""
    width_pt = 72 * (width_in - 0.1)
    return [(line, size, weight) for text, size, weight in texts
            for line in wrapped(text, width_pt, size, weight)]


def points(setting: str) -> float:
    """A text size of matplotlib's settings, in points, in the style worn now."""
    settings: Any = mpl.rcParams
    return float(FontProperties(size=settings[setting]).get_size_in_points())


def wrapped(text: str, width_pt: float, size_pt: float, weight: str) -> list[str]:
    """`text` in lines no longer than `width_pt`, as measured in the font it is set in.

    No line ends between a number and its unit, or what else belongs to it: `807 ± 245 s`.
    """
    font = FontProperties(family=mpl.rcParams["font.family"], weight=weight, size=size_pt)
    lines: list[str] = []
    tied = BOUND.sub(TIE, " ".join(text.split()))
    for word in (each.replace(TIE, " ") for each in tied.split(" ") if each):
        longer = f"{lines[-1]} {word}" if lines else word
        # corners of the outlines' hulls, since their exact extents take twenty times as long
        fits = HINTING * np.ptp(TextPath((0, 0), longer, prop=font).vertices[:, 0]) <= width_pt
        if lines and fits:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def legend_below(figure: Figure, entries: tuple[Any, Any], columns: int | None,
                 title: str | None = None) -> None:
    """One legend for all panels, under them; `entries` are handles and labels.

    `columns` is how many names stand side by side; None: as many as the width takes, and the figure
    grows by the lines that they need.
    """
    names = entries[1]
    fitting = columns or fitting_columns(names, figure.get_figwidth())
    if columns is None:
        lines = -(-len(names) // fitting) + (title is not None)
        more = (lines * LEGEND_LEADING + 0.8) * points("legend.fontsize") / 72
        figure.set_figheight(figure.get_figheight() + more)
    figure.legend(*entries, loc="outside lower center", ncols=min(fitting, len(names)),
                  columnspacing=1.4, handlelength=2.4, title=title,
                  title_fontsize=mpl.rcParams["legend.fontsize"])


def fitting_columns(names: Sequence[str], width_in: float) -> int:
    """How many names of a legend stand side by side in a figure so wide; one at least."""
    size = points("legend.fontsize")
    font = FontProperties(family=mpl.rcParams["font.family"], size=size)
    widest = max((float(np.ptp(TextPath((0, 0), name, prop=font).vertices[:, 0]))
                  for name in names if name.strip()), default=0.0)
    return max(1, int(72 * width_in // (HINTING * widest + 5.2 * size)))
