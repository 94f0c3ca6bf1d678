"""Axes to draw on, where none are given."""

from __future__ import annotations

from matplotlib.axes import Axes


def axes_or_new(ax: Axes | None, width_in: float = 7.2, height_in: float = 2.6) -> Axes:
    """The axes given, else those of a new figure that is shown where figures are."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.subplots(figsize=(width_in, height_in), layout="constrained")[1]
