"""The best cuts for a flushed mini-batch: the sum over stages and the slowest one, weighed.

A mini-batch of M micro-batches takes `Σt + (M−1)·max t`.  The sum alone is a dynamic programme once
the largest t is bounded; bounds are searched from both ends, and those left out that cannot lead to
anything better.

Source: Zheng et al. 2022 (Alpa, section 5.2), whose search tries one bound after another.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from analysis.cuts.costs import Costs
from analysis.cuts.tables import Tables
from analysis.cuts.throughput import Found
from sim.arrays import Floats

CLOSE = 1e-13  # of seconds: what differs by less is the same but for rounding


def shortest(costs: Costs, numbers: Sequence[int], devices: int, microbatches: int, *,
             exactly: bool) -> list[Found]:
    """The best cut into each of these numbers of stages, on at most `devices` devices, or on
    exactly so many; none where there is no cut."""
    bounds = np.unique(costs.worst[np.isfinite(costs.worst)])
    found = []
    for number in numbers:
        search = _Search(costs, number, devices, microbatches, exactly, bounds)
        search.run()
        if search.best is not None:
            found.append(search.best)
    return found


@dataclass
class _Search:
    """The search for the best cut into one number of stages, over `bounds` of the slowest one."""

    costs: Costs
    stages: int
    devices: int
    microbatches: int
    exactly: bool
    bounds: Floats
    best: Found | None = None
    tried: int = field(default=0)

    def run(self) -> None:
        """Try bounds, the most promising stretch of them first, until none can be better.

        A stretch is one of bounds not tried; the sum under the bound above it is no greater than
        any in it.
        """
        whole = self._under(len(self.bounds) - 1)
        if whole is None:
            return
        stretches = [(0.0, 0, whole[1] - 1, whole[0])]
        while stretches:
            least, low, high, total = heapq.heappop(stretches)
            if self.best is not None and least >= self.best.objective_s * (1 - CLOSE):
                return
            middle = (low + high) // 2
            found = self._under(middle)
            if found is not None:
                self._push(stretches, low, found[1] - 1, found[0])
            self._push(stretches, middle + 1, high, total)

    def _push(self, stretches: list[tuple[float, int, int, float]], low: int, high: int,
              total: float) -> None:
        if low <= high:
            least = total + (self.microbatches - 1) * float(self.bounds[low])
            heapq.heappush(stretches, (least, low, high, total))

    def _under(self, number: int) -> tuple[float, int] | None:
        """The least sum with no stage slower than a bound, and the number of the bound that its
        slowest one has; None where there is no such cut."""
        self.tried += 1
        tables = Tables(self.costs, self.stages, self.devices, total=True,
                        cap=float(self.bounds[number]))
        ending = tables.best[self.stages, 0]
        devices = self.devices if self.exactly else int(ending.argmin())
        if not np.isfinite(ending[devices]):
            return None
        cut = tables.cut(self.stages, devices)
        slowest = max(float(self.costs.worst[m, i, j]) for i, j, m in cut)
        total = float(ending[devices])
        objective = total + (self.microbatches - 1) * slowest
        if self.best is None or objective < self.best.objective_s:
            self.best = Found(cut, slowest, objective)
        return total, int(np.searchsorted(self.bounds, slowest))
