"""The best cuts for an endless run: the slowest stage or message as fast as can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.cuts.anyhow import Anyhow
from analysis.cuts.costs import Costs
from analysis.cuts.tables import Cut, Tables


@dataclass(frozen=True)
class Found:
    """A cut, with the seconds of its slowest stage or message and those of what was minimised."""

    cut: Cut
    bottleneck_s: float
    objective_s: float


def fastest(costs: Costs, numbers: Sequence[int], devices: int, slack: float = np.inf,
            most: int | None = None) -> list[Found]:
    """The best cut into each of these numbers of stages, on at most `devices` devices; none where
    there is no cut, nor where it is slower than the best of all by more than `slack`, a share, or
    than those into `most` others.

    Of cuts with the same slowest stage, the one whose stages take the fewest seconds together (so
    no device idles that could help), then the one on the fewest devices.
    """
    worst = Tables(costs, max(numbers), devices, total=False)
    bottlenecks = {number: float(worst.best[number, 0].min()) for number in numbers}
    best = min(bottlenecks.values())
    limit = best * (1 + slack) if slack < np.inf else np.inf
    close = sorted((each, number) for number, each in bottlenecks.items()
                   if np.isfinite(each) and each <= limit)
    return [_least(Tables(costs, number, devices, total=True, cap=each))
            for each, number in close[:most]]


def fastest_of_all(costs: Costs, devices: int) -> list[Found]:
    """The best cut on at most `devices` devices, into any number of stages; none where there is
    none.  `costs` are those of `Costs.anywhere`."""
    bottleneck = float(Anyhow(costs, devices, total=False).ending.min())
    if not np.isfinite(bottleneck):
        return []
    return [_least(Anyhow(costs, devices, total=True, cap=bottleneck))]


def _least(tables: Tables | Anyhow) -> Found:
    """The cut of the least seconds together of those within the cap of a table."""
    return Found(tables.cut(int(tables.ending.argmin())), tables.cap, tables.cap)
