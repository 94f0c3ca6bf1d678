"""Labels beside points, put where they cover neither each other nor a mark."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from sim.arrays import Floats

RADII = (11.0, 16.0, 22.0, 30.0, 40.0, 52.0, 66.0)  # points from the mark
ANGLES = np.linspace(0, 2 * np.pi, 16, endpoint=False) + np.pi / 4
HALF = np.array([7.0, 6.0])  # half a label's width and height in points
MARK = np.array([6.0, 6.0])
NEAR = 16.0  # further off, a line leads to the mark
LEADER = {"arrowstyle": "-", "linewidth": 0.6, "shrinkA": 3, "shrinkB": 4}


def label(axis: Axes, marks: Floats, texts: Sequence[str], others: Floats) -> list[Floats]:
    """Write `texts` beside `marks`, each (n, 2) in data units; returns offsets in points.

    `others` are lesser marks, avoided where there is room.  Call it when axes and limits are
    final: the places hold for the figure as it is laid out then.
    """
    figure = axis.get_figure()
    if figure is None or not len(marks):
        return []
    figure.draw_without_rendering()  # type: ignore[union-attr]
    scale = 72 / figure.dpi
    at = axis.transData.transform(marks) * scale
    lesser = axis.transData.transform(others) * scale if len(others) else np.empty((0, 2))
    frame = axis.get_window_extent().get_points() * scale
    placed: list[Floats] = []
    for place in at:
        placed.append(_free(place, at, placed, lesser, frame))
    for mark, text, centre, place in zip(marks, texts, placed, at, strict=True):
        leader = np.abs(centre - place).max() > NEAR
        axis.annotate(text, mark, centre - place, textcoords="offset points", ha="center",
                      va="center", fontsize=7.5, fontweight="bold", zorder=5,
                      arrowprops=LEADER if leader else None).set_in_layout(False)
    return [centre - place for centre, place in zip(placed, at, strict=True)]


def _free(place: Floats, marks: Floats, placed: Sequence[Floats], lesser: Floats, frame: Floats
          ) -> Floats:
    """The nearest centre that covers no mark and no label, and the fewest lesser marks."""
    best, cost = place + RADII[-1], np.inf
    for radius in RADII:
        for angle in ANGLES:
            centre = place + radius * np.array([np.cos(angle), np.sin(angle)])
            hits = (1000 * _hits(centre, marks, HALF + MARK)
                    + 1000 * _hits(centre, np.array(placed).reshape(-1, 2), 2 * HALF)
                    + 1000 * int(((centre < frame[0] + HALF) | (centre > frame[1] - HALF)).any())
                    + 3 * _hits(centre, lesser, HALF + MARK / 3) + radius / 20)
            if hits < cost:
                best, cost = centre, hits
    return np.asarray(best)


def _hits(centre: Floats, others: Floats, clearance: Floats) -> int:
    """How many of `others` are nearer than `clearance` both ways."""
    return int((np.abs(others - centre) < clearance).all(axis=1).sum())
