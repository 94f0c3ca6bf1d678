"""Names of curves beside their ends, one under the other where the ends lie close."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation

from figures.drawing.colours import COLOURS
from sim.arrays import Floats

LINE = 1.22  # of the text's size: from one name to the next
GAP = 6.0  # points between a curve's end, or the frame, and its name
LEADER = {"arrowstyle": "-", "linewidth": 0.5, "shrinkA": 1, "shrinkB": 1}
# behind a name, so that lines it lies on do not cross it
BACK: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6}


class End(NamedTuple):
    """Where a curve ends, in data units, what it is called, and the name's colour (as matplotlib
    takes it); a `strong` one is bold."""

    x: float
    y: float
    text: str
    colour: str
    strong: bool = False


def label_ends(axis: Axes, ends: Sequence[End], size_pt: float, *, at_frame: bool = True) -> None:
    """Write each curve's name beside its end, right of the frame or (not `at_frame`) of the end.

    Names that would cover each other are moved apart up and down, with a line to the curve.  Call
    it when limits and scales are final; a constrained layout leaves room for the names.
    """
    figure = axis.get_figure()
    if figure is None or not ends:
        return
    names = [_name(axis, end, size_pt, at_frame) for end in ends]
    figure.draw_without_rendering()  # type: ignore[union-attr]
    scale = 72 / figure.dpi
    at = axis.transData.transform([(end.x, end.y) for end in ends]) * scale
    low, high = axis.get_window_extent().get_points()[:, 1] * scale
    step = LINE * size_pt
    for group in _beside(at[:, 0], 12 * size_pt, at_frame):
        places = apart(at[group, 1], step, low + step / 3, high - step / 3)
        for number, place in zip(group, places, strict=True):
            _lead(axis, names[number], (GAP, place - at[number, 1]))
            if at_frame:
                _reach(axis, ends[number])


def _name(axis: Axes, end: End, size_pt: float, at_frame: bool) -> Annotation:
    """The name right of its end, or at the end's height right of the frame."""
    xy, beside = ((1.0, end.y), axis.get_yaxis_transform()) if at_frame else (
        (end.x, end.y), axis.transData)
    return axis.annotate(end.text, xy, (GAP, 0.0), xycoords=beside, textcoords="offset points",
                         fontsize=size_pt, fontweight="bold" if end.strong else "normal",
                         color=end.colour, ha="left", va="center", annotation_clip=False,
                         zorder=6, bbox=BACK)


def _lead(axis: Axes, name: Annotation, way: tuple[float, float]) -> None:
    """Put the name so many points from where it belongs, and draw a line from there."""
    name.set_position(way)
    axis.annotate("", name.xy, way, xycoords=name.xycoords, textcoords="offset points", zorder=4,
                  annotation_clip=False, arrowprops={**LEADER, "color": name.get_color()}
                  ).set_in_layout(False)


def _reach(axis: Axes, end: End) -> None:
    """A pale line from a curve that ends before the frame to the frame."""
    axis.plot([end.x, axis.get_xlim()[1]], [end.y, end.y], color=COLOURS["pale"], linewidth=0.5,
              zorder=1, scalex=False, scaley=False)


def _beside(x: Floats, width: float, at_frame: bool) -> list[list[int]]:
    """Numbers of the ends whose names stand over each other: all at the frame, else those whose
    ends are less than a name's `width` apart."""
    order = [int(number) for number in np.argsort(x, kind="stable")]
    if at_frame:
        return [order]
    groups: list[list[int]] = []
    for number in order:
        if groups and x[number] - x[groups[-1][-1]] < width:
            groups[-1].append(number)
        else:
            groups.append([number])
    return groups


def apart(wanted: Floats, step: float, low: float, high: float) -> Floats:
    """Places at least `step` from each other and nearest to those `wanted`, within low and high.

    Both have shape (names,), in their order, in any one unit.
    Where there is no room for all, they begin at `low` and go beyond `high`.
    """
    order = np.argsort(wanted, kind="stable")
    raised = wanted[order] - step * np.arange(len(wanted))  # then they only need not to fall
    level = np.clip(_rising(raised), low, max(low, high - step * (len(wanted) - 1)))
    places = np.empty(len(wanted))
    places[order] = level + step * np.arange(len(wanted))
    return places


def _rising(values: Floats) -> Floats:
    """The numbers nearest to `values` that never fall: neighbours that do are set to their mean.

    Source: Ayer et al. 1955, pooling of adjacent violators.
    """
    pools: list[tuple[float, int]] = []
    for value in values.tolist():
        pools.append((value, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, m), (b, n) = pools[-2:]
            pools[-2:] = [((a * m + b * n) / (m + n), m + n)]
    return np.concatenate([np.full(count, mean) for mean, count in pools])
