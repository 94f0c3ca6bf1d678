"""A legend under the axis of time, as wide as there is room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.legend_handler import HandlerTuple
from matplotlib.transforms import ScaledTranslation

from figures.traces.passes.colouring import Pair

UNDER = 3.6  # text sizes below the axes: the axis's numbers and its label


def explained(axis: Axes, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """Say under some axes what handles stand for, as many beside each other as there is room for;
    nothing where there are none."""
    figure = axis.get_figure(root=True)
    if not handles or figure is None:
        return
    size = float(mpl.rcParams["font.size"])
    # places are not final yet; a layout gives one panel nearly all of the width
    room = 72 * figure.get_figwidth() * min(1.0, 1.2 * axis.get_position().width)
    below = ScaledTranslation(0, -UNDER * size / 72, figure.dpi_scale_trans)
    axis.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, 0),
                bbox_transform=axis.transAxes + below, borderaxespad=0, frameon=False,
                ncols=_columns(labels, size, room), fontsize=size, handlelength=1.4,
                columnspacing=1.2, handler_map={Pair: HandlerTuple(ndivide=None, pad=0)})


def _columns(labels: Sequence[str], size_pt: float, room_pt: float) -> int:
    """Into how many columns a legend's labels fit beside each other, by the width of a letter."""
    for columns in range(len(labels), 1, -1):
        lines = -(-len(labels) // columns)
        widths = [max(map(len, labels[at:at + lines])) for at in range(0, len(labels), lines)]
        if sum(0.55 * size_pt * width + 3.4 * size_pt for width in widths) <= room_pt:
            return columns
    return 1
