"""Logarithmic axes whose numbers are written as anybody writes them."""

from __future__ import annotations

import math
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

PLAIN_DECADES = 2.5  # an axis of fewer has 1, 2, 5 of each power of ten, else the powers alone


def log_numbers(axes: Axes, which: str = "y") -> None:
    """Make the axis `which` (x or y) logarithmic with plain numbers: 0.2, 0.5, 1, 2.

    Over many decades only powers of ten are written, those of very large and small numbers as
    powers.  Call it when the limits are final.
    """
    getattr(axes, f"set_{which}scale")("log")
    axis: Any = getattr(axes, f"{which}axis")
    low, high = getattr(axes, f"get_{which}lim")()
    decades = math.log10(high / low)
    if decades > PLAIN_DECADES:
        return
    subs = (1.0, 2.0, 5.0) if decades > 1 else (1.0, 2.0, 3.0, 4.0, 5.0, 7.0)
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
