"""Labels beside points, put where they cover neither each other nor a mark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from sim.arrays import Floats

RADII = (11.0, 16.0, 22.0, 30.0, 40.0, 52.0, 66.0)  # points from the mark
ANGLES = np.linspace(0, 2 * np.pi, 16, endpoint=False) + np.pi / 4
HALF = np.array([7.0, 6.0])  # half a label's width and height in points
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
    halves = [np.maximum(HALF, [_width(text, size_pt, weight) / 2 + PAD, 0]) for text in texts]
    placed: list[Floats] = []
    for place, half in zip(at, halves, strict=True):
        placed.append(_free(place, half, at, (placed, halves), lesser, frame))
    for mark, text, centre, place, half in zip(marks, texts, placed, at, halves, strict=True):
        way = centre - place
        axis.annotate(text, mark, way, textcoords="offset points", ha="center", va="center",
                      fontsize=size_pt, fontweight=weight, zorder=5, bbox=BACK
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


def _free(place: Floats, half: Floats, marks: Floats,
          labels: tuple[Sequence[Floats], Sequence[Floats]], lesser: Floats, frame: Floats
          ) -> Floats:
    """The nearest centre that covers no mark and no label, and the fewest lesser marks.

    `labels` are the centres of those that are placed already, and half the size of each.
    """
    placed, halves = (np.array(part[: len(labels[0])]).reshape(-1, 2) for part in labels)
    best, cost = place + RADII[-1], np.inf
    for radius in RADII:
        for angle in ANGLES:
            way = np.array([np.cos(angle), np.sin(angle)])
            # a wide label is as far from its mark as a narrow one, measured to its edge
            centre = place + radius * way + way * (half - HALF)
            hits = (1000 * _hits(centre, marks, half + MARK)
                    + 1000 * _hits(centre, placed, half + halves)
                    + 1000 * int(((centre < frame[0] + half) | (centre > frame[1] - half)).any())
                    + 3 * _hits(centre, lesser, half + MARK / 3) + radius / 20)
            if hits < cost:
                best, cost = centre, hits
    return np.asarray(best)


def _hits(centre: Floats, others: Floats, clearance: Floats) -> int:
    """How many of `others` are nearer than `clearance` both ways."""
    return int((np.abs(others - centre) < clearance).all(axis=1).sum())
