"""Labels beside points, put where they cover neither each other nor a mark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from sim.arrays import Floats

RADII = np.array([11.0, 14.0, 18.0, 23.0, 29.0, 36.0, 44.0, 53.0, 64.0, 76.0])  # points away
ANGLES = np.linspace(0, 2 * np.pi, 24, endpoint=False) + np.pi / 4
SWEEPS = 4  # times that every label looks for a better place among the others
HALF = np.array([7.0, 6.0])  # half a label's width and height in points
LINE = 9.0  # points that a further line of a label takes
PAD = 2.0  # points beside a label that is wider than that
MARK = np.array([6.0, 6.0])
NEAR = 9.0  # points between label and mark; further off, a line leads there
# behind a name, so that lines it lies on do not cross it
BACK: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6}
LEADER = {"arrowstyle": "-", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 4}


def label(axis: Axes, marks: Floats, texts: Sequence[str], others: Floats, size_pt: float = 7.5,
          weight: str = "bold") -> list[Floats]:
    """Write `texts` beside `marks`, each (n, 2) in data units; returns offsets in points.

    `others` are lesser marks, avoided where there is room; `size_pt` is the font's size in points.
    Call it when axes and limits are final: the places hold for the figure as it is laid out then.
    """
    figure = axis.get_figure()
    if figure is None or not len(marks):
        return []
    figure.draw_without_rendering()  # type: ignore[union-attr]
    scale = 72 / figure.dpi
    at = axis.transData.transform(marks) * scale
    lesser = axis.transData.transform(others) * scale if len(others) else np.empty((0, 2))
    frame = axis.get_window_extent().get_points() * scale
    halves = np.array([_half(text, size_pt, weight) for text in texts])
    placed = np.full((len(texts), 2), np.inf)
    choices = [_choice(number, at, half, lesser, frame) for number, half in enumerate(halves)]
    for _ in range(SWEEPS):
        for number, choice in enumerate(choices):
            placed[number] = choice.best(number, placed, halves)
    for mark, text, centre, place, half in zip(marks, texts, placed, at, halves, strict=True):
        way = centre - place
        axis.annotate(text, mark, way, textcoords="offset points", ha="center", va="center",
                      fontsize=size_pt, fontweight=weight, zorder=5, bbox=BACK, linespacing=1.1
                      ).set_in_layout(False)
        edge = np.sign(way) * np.clip(np.abs(way) - half, 0, None)  # of the label, as seen from it
        if np.abs(edge).max() > NEAR:
            axis.annotate("", mark, edge, textcoords="offset points", zorder=4,
                          arrowprops=LEADER).set_in_layout(False)
    return [centre - place for centre, place in zip(placed, at, strict=True)]


def _width(text: str, size_pt: float, weight: str) -> float:
    """Width of a text in points, as its outlines have it."""
    font = FontProperties(family=mpl.rcParams["font.family"], weight=weight, size=size_pt)
    return float(TextPath((0, 0), text, prop=font).get_extents().width)


def _half(text: str, size_pt: float, weight: str) -> Floats:
    """Half the width and height of a label's text, in points."""
    lines = text.split("\n")
    wide = max(_width(line, size_pt, weight) for line in lines) / 2 + PAD
    higher = np.array([0, LINE / 2 * (len(lines) - 1)])
    return np.asarray(np.maximum(HALF, [wide, 0]) + higher)


@dataclass(frozen=True, eq=False)
class _Choice:
    """Where a label may be: `centres`, (places, 2), what each `costs` whatever other labels do,
    (places,), and points along its line to the mark, `lines`, (along, places, 2)."""

    centres: Floats
    costs: Floats
    lines: Floats

    def best(self, number: int, placed: Floats, halves: Floats) -> Floats:
        """The centre of the label of this number among those of all the others.

        `placed` are the centres of all labels, at infinity before they have a place, and `halves`
        half the size of each.
        """
        others = np.arange(len(placed)) != number
        covered = _hits(self.centres, placed[others], halves[number] + halves[others])
        crossed = _hits(self.lines, placed[others], halves[others]).sum(axis=0)
        return np.asarray(self.centres[int((self.costs + 1000 * covered + 20 * crossed).argmin())])


def _choice(number: int, marks: Floats, half: Floats, lesser: Floats, frame: Floats) -> _Choice:
    """The places of a label, half as large as `half`: best is one that covers no mark and the
    fewest lesser marks, whose line goes over no mark, and that is near."""
    place, others = marks[number], np.arange(len(marks)) != number
    way = np.stack((np.cos(ANGLES), np.sin(ANGLES)), axis=1)
    # a wide label is as far from its mark as a narrow one, measured to its edge
    centres = (place + RADII[:, None, None] * way + way * (half - HALF)).reshape(-1, 2)
    away = np.repeat(RADII, len(ANGLES))
    edges = centres - np.clip(centres - place, -half, half)
    far = np.where(away > NEAR + HALF.min(), 1.0, 0.0)[:, None]
    lines = place + np.linspace(0.15, 1, 10)[:, None, None] * far * (edges - place)
    outside = ((centres < frame[0] + half) | (centres > frame[1] - half)).any(axis=1)
    return _Choice(centres, 1000 * _hits(centres, marks, half + MARK) + 1000 * outside
                   + 20 * _hits(lines, marks[others], MARK).sum(axis=0)
                   + 2 * _hits(centres, lesser, half + MARK / 3) + away / 2.5, lines)


def _hits(centres: Floats, others: Floats, clearance: Floats) -> Floats:
    """How many of `others`, (others, 2), are nearer to each of the centres, (…, 2), than their
    `clearance` both ways, one for all or (others, 2)."""
    near = np.abs(centres[..., None, :] - others) < clearance
    return np.asarray(near.all(axis=-1).sum(axis=-1), dtype=float)
