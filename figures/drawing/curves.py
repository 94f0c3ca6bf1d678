"""Curves of several runs on one axis: a few in colour, the others grey behind them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from figures.drawing.colours import COLOURS
from figures.drawing.ends import End, label_ends
from sim.arrays import Floats

MARKS = 6  # of a curve, evenly along the axis, to tell it apart in grey
THICK, THIN, MANY = 1.6, 1.0, 100  # points of lines; a curve of many points is often noise
BEHIND = COLOURS["faint"]
NOT_FINITE: dict[str, Any] = {"marker": "x", "markersize": 6.0, "markeredgewidth": 1.6,
                              "linestyle": ""}


class Curve(NamedTuple):
    """A curve by name: its points, shape (points,) (y is NaN where there is none), and its stroke.

    `colour` is as matplotlib takes it.  One that is not `strong` is grey, behind the others.
    `band` has the lower and upper ends of a spread, of that shape too.  `diverged` is where a
    cross says that the numbers are no longer finite.
    """

    label: str
    x: Floats
    y: Floats
    colour: str
    line: str = "-"
    mark: str = "o"
    strong: bool = True
    band: tuple[Floats, Floats] | None = None
    diverged: tuple[float, float] | None = None

    @property
    def end(self) -> End | None:
        """The last point there is; None where there is none."""
        known = np.flatnonzero(np.isfinite(self.y))
        if not len(known):
            return None
        return End(float(self.x[known[-1]]), float(self.y[known[-1]]), self.label,
                   self.colour if self.strong else COLOURS["dim"], self.strong)


def draw_curves(axis: Axes, curves: Sequence[Curve]) -> None:
    """Draw all curves, those that are not strong first, and their bands beneath.

    Call it when the scale of x is final, so that marks stand evenly.
    """
    for number, curve in enumerate(sorted(curves, key=lambda each: each.strong)):
        colour = curve.colour if curve.strong else BEHIND
        if curve.band is not None and curve.strong:
            axis.fill_between(curve.x, *curve.band, color=colour, alpha=0.15, linewidth=0)
        axis.plot(curve.x, curve.y, color=colour, linestyle=curve.line, label=curve.label,
                  linewidth=_width(curve), zorder=3 if curve.strong else 2,
                  marker=curve.mark if curve.strong else None, markersize=4.0,
                  markevery=_marked(axis, curve.x, (number + 0.5) / len(curves)))
        if curve.diverged is not None:
            x, y = curve.diverged
            axis.plot([x], [y], color=colour, zorder=5, clip_on=False, **NOT_FINITE)


def _width(curve: Curve) -> float:
    if not curve.strong:
        return 0.8
    return THICK if len(curve.x) <= MANY else THIN


def _marked(axis: Axes, x: Floats, phase: float) -> list[int]:
    """The points of a curve that have its mark, of curves on each other not the same ones."""
    if not len(x):
        return []
    seen = np.log(x) if axis.get_xscale() == "log" else x
    places = seen[0] + (np.arange(MARKS) + phase) / MARKS * (seen[-1] - seen[0])
    return sorted({int(np.abs(seen - place).argmin()) for place in places})


def name_ends(axis: Axes, curves: Sequence[Curve], size_pt: float, *, at_frame: bool = True
              ) -> None:
    """Write every curve's name beside its end, see `label_ends`."""
    ends = [each.end for each in curves]
    label_ends(axis, [end for end in ends if end is not None], size_pt, at_frame=at_frame)
