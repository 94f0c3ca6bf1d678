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


def fastest(costs: Costs, numbers: Sequence[int], devices: int, slack: float = np.inf
            ) -> list[Found]:
    """The best cut into each of these numbers of stages, on at most `devices` devices; none where
    there is no cut, nor where it is slower than the best of all by more than `slack`, a share.

    Of cuts with the same slowest stage, the one whose stages take the fewest seconds together (so
    no device idles that could help), then the one on the fewest devices.
    """
    worst = Tables(costs, max(numbers), devices, total=False)
    best = float(worst.best[1:, 0].min())
    limit, found = best * (1 + slack) if slack < np.inf else np.inf, []
    for number in numbers:
        bottleneck = float(worst.best[number, 0].min())
        if np.isfinite(bottleneck) and bottleneck <= limit:
            found.append(_least(Tables(costs, number, devices, total=True, cap=bottleneck)))
    return found


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
