"""Texts that stand in or above boxes where there is room for them, at any size and zoom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.text import Text
from matplotlib.transforms import IdentityTransform

from sim.arrays import Floats

PAD_PT = 0.5  # on both sides of a text in its box
TALL = 0.95  # of a text's size: what digits and capitals need, with some air
NUDGED = 0.3  # of a text's width: how far it is moved aside at most
MOST_FIT = 0.8  # of all boxes: a shorter form is used where fewer hold the longer one
Place = tuple[int, str, float, float]  # which, its text, its centre in pixels


def _pixels(renderer: RendererBase, points: float) -> float:
    return float(renderer.points_to_pixels(points))  # type: ignore[arg-type]


class Names(Artist):
    """A text in every box that holds it, in the longest form that most boxes hold; those that do
    not hold that have a shorter one.

    `across` are start and end of the boxes and `upright` their top and bottom in data units, both
    (boxes, 2); `forms` holds the texts of all boxes in each form, longest first.  What fits is
    found whenever the picture is drawn, so that no text ever lies over another box.
    """

    zorder = 5

    def __init__(self, axis: Axes, across: Floats, upright: Floats, forms: Sequence[Sequence[str]],
                 colours: Sequence[Any], bold: Sequence[bool]) -> None:
        super().__init__()
        self.across, self.upright, self.forms = across, upright, forms
        self.size_pt = float(mpl.rcParams["font.size"])
        self.texts = [Text(0, 0, "", color=colour, ha="center", va="center_baseline",
                           fontweight="bold" if strong else "normal", fontsize=self.size_pt,
                           transform=IdentityTransform(), parse_math=False)
                      for colour, strong in zip(colours, bold, strict=True)]
        self.set_in_layout(False)
        axis.add_artist(self)
        for text in self.texts:
            text.set_figure(axis.get_figure(root=True))  # type: ignore[arg-type]
            text.axes = axis

    def draw(self, renderer: RendererBase) -> None:
        """Draw the texts that fit."""
        if not self.get_visible() or not self.texts:
            return
        for which, said, x, y in self.places(renderer):
            self.texts[which].set_text(said)
            self.texts[which].set_position((x, y))
            self.texts[which].draw(renderer)
        self.stale = False

    def places(self, renderer: RendererBase) -> Iterator[Place]:
        """The texts that fit, and where: in the middle of what is seen of their boxes."""
        left, right, low, high = self._seen()
        pad, size = _pixels(renderer, PAD_PT), _pixels(renderer, self.size_pt)
        tall = np.abs(high - low) >= TALL * size
        best, chosen = -1, 0
        held = [tall & (self._widths(renderer, form) + 2 * pad <= right - left)
                for form in self.forms]
        for number, fits in enumerate(held):
            if fits.sum() > best:
                best, chosen = int(fits.sum()), number
            if fits.sum() >= MOST_FIT * max(1, (right > left).sum()):
                break
        left_over = np.ones(len(left), bool)
        for form, fits in zip(self.forms[chosen:], held[chosen:], strict=True):
            for which in np.flatnonzero(fits & left_over).tolist():
                yield (which, form[which], float(left[which] + right[which]) / 2,
                       float(low[which] + high[which]) / 2)
            left_over &= ~fits

    def _seen(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Left, right, bottom and top of what is seen of each box, in pixels, (boxes,) each."""
        assert self.axes is not None
        corners = [self.axes.transData.transform(np.column_stack((self.across[:, n],
                                                                  self.upright[:, n])))
                   for n in (0, 1)]
        inside = self.axes.bbox
        left, right = (np.clip(each[:, 0], inside.x0, inside.x1) for each in corners)
        low, high = (np.clip(each[:, 1], inside.y0, inside.y1) for each in reversed(corners))
        return left, right, low, high

    def _widths(self, renderer: RendererBase, form: Sequence[str]) -> Floats:
        """Width of each text in pixels, (boxes,)."""
        known: dict[tuple[str, bool], float] = {}
        widths = []
        for text, said in zip(self.texts, form, strict=True):
            key = said, text.get_fontweight() == "bold"
            if key not in known:
                known[key] = renderer.get_text_width_height_descent(
                    said, text.get_fontproperties(), False)[0] if said else 0.0
            widths.append(known[key])
        return np.array(widths)


class Above(Names):
    """Texts that may be wider than the boxes they stand for, and never overlap each other.

    Those of one lane (`upright` tells lanes apart) are put from left to right; one that would
    touch the one before it is moved a little, or left out.  `clear`, (boxes, 2), are the points to
    keep clear beside the left and the right end of each box, where arrows end or begin.
    """

    zorder = 6
    clear: Floats | None = None

    def places(self, renderer: RendererBase) -> Iterator[Place]:
        """The texts there is room for, each over the middle of what is seen of its box."""
        left, right, low, high = self._seen()
        pad, size = _pixels(renderer, PAD_PT), _pixels(renderer, self.size_pt)
        assert self.axes is not None
        width, middle = self._widths(renderer, self.forms[0]), (left + right) / 2
        if self.clear is not None:
            beside = _pixels(renderer, 1.0) * self.clear
            middle = np.where(beside[:, 0] > 0, np.maximum(middle, left + beside[:, 0] + width / 2),
                              np.where(beside[:, 1] > 0, np.minimum(
                                  middle, right - beside[:, 1] - width / 2), middle))
        until: dict[float, float] = {}
        for which in np.lexsort((middle, left)).tolist():
            lane, begin = float(self.upright[which, 0]), middle[which] - width[which] / 2
            aside = max(0.0, until.get(lane, begin) - begin)
            begin += aside
            room = (right[which] > left[which] and begin >= self.axes.bbox.x0 - pad
                    and begin + width[which] <= self.axes.bbox.x1 + pad
                    and abs(high[which] - low[which]) >= TALL * size
                    and aside <= NUDGED * width[which])
            if room:
                until[lane] = begin + width[which] + 4 * pad
                yield (which, self.forms[0][which], float(begin + width[which] / 2),
                       float(low[which] + high[which]) / 2)
