"""The best cuts for an endless run: the slowest stage or message as fast as can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.cuts.costs import Costs
from analysis.cuts.tables import Cut, Tables


@dataclass(frozen=True)
class Found:
    """A cut, with the seconds of its slowest stage or message and those of what was minimised."""

    cut: Cut
    bottleneck_s: float
    objective_s: float


def fastest(costs: Costs, numbers: Sequence[int], devices: int) -> list[Found]:
    """The best cut into each of these numbers of stages, on at most `devices` devices; none where
    there is no cut.

    Of cuts with the same slowest stage, the one whose stages take the fewest seconds together (so
    no device idles that could help), then the one on the fewest devices.
    """
    worst = Tables(costs, max(numbers), devices, total=False)
    found = []
    for number in numbers:
        bottleneck = float(worst.best[number, 0].min())
        if np.isfinite(bottleneck):
            least = Tables(costs, number, devices, total=True, cap=bottleneck)
            ending = least.best[number, 0]
            found.append(Found(least.cut(number, int(ending.argmin())), bottleneck, bottleneck))
    return found
