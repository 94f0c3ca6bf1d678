"""The best cuts for a flushed mini-batch: the sum over stages and the slowest one, weighed.

A mini-batch of M micro-batches takes `Σt + (M−1)·max t`.  The sum alone is a dynamic programme once
the largest t is bounded; bounds are searched from both ends, and those left out that cannot lead to
anything better.

Source: Zheng et al. 2022 (Alpa, section 5.2), whose search tries one bound after another.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np

from analysis.cuts.anyhow import Anyhow
from analysis.cuts.costs import Costs
from analysis.cuts.tables import Tables
from analysis.cuts.throughput import Found
from sim.arrays import Floats

CLOSE = 1e-13  # of seconds: what differs by less is the same but for rounding


@dataclass(frozen=True)
class Flush:
    """A flushed mini-batch of so many micro-batches on at most `devices` devices, or on `exactly`
    so many, with what its stages cost."""

    costs: Costs
    devices: int
    microbatches: int
    exactly: bool

    def each(self, numbers: Sequence[int], slack: float = np.inf) -> list[Found]:
        """The best cut into each of these numbers of stages; none where there is no cut, nor where
        it is slower than the best of all by more than `slack`, a share of its seconds."""
        limit = np.inf
        if slack < np.inf:
            best = min((found.objective_s for found in self.best(max(numbers))), default=np.inf)
            limit = max(best * (1 + slack), np.finfo(float).tiny)  # where nothing takes any time
        beat = limit * (1 + 10 * CLOSE)  # as slow as the limit is not too slow
        found = [each for number in numbers
                 for each in _Search(self, partial(Tables, self.costs, number), beat).run()]
        return [each for each in found if each.objective_s <= limit]

    def best(self, most: int) -> list[Found]:
        """The best cut into any number of stages, at most `most`, and the best cuts into other
        numbers that the search for it came by; none where there is none."""
        if self.costs.anywhere:
            return _Search(self, partial(Anyhow, self.costs), np.inf).run()
        return _Search(self, partial(Tables, self.costs, most, fewer=True), np.inf).run()

    @cached_property
    def bounds(self) -> Floats:
        """What the slowest stage of a cut may have, ascending, (bounds,); no less than the slowest
        one of any cut has."""
        least = Anyhow(self.costs.anyway, self.devices, total=False).ending.min()
        worst = self.costs.worst
        return np.unique(worst[(worst >= least) & np.isfinite(worst)])

    @cached_property
    def before(self) -> Floats:
        """The least seconds that the stages before block i add on the devices that d leaves them,
        (n + 1, devices + 1)."""
        found = Anyhow(self.costs.anyway.backwards, self.devices, total=True).best[::-1]
        if not self.exactly:
            found = np.minimum.accumulate(found, axis=1)
        least: Floats = found[:, ::-1]
        return least


MakeTables = Callable[..., Tables | Anyhow]


@dataclass
class _Search:
    """The search over bounds of the slowest stage for the best cut of what `tables` are of."""

    asked: Flush
    tables: MakeTables
    limit: float
    met: dict[int, Found] = field(default_factory=dict)
    tried: int = 0

    def run(self) -> list[Found]:
        """The best cut, if it is better than the limit, and others met, each into another number
        of stages.

        Bounds are tried, the most promising stretch of them first, until none can be better.  A
        stretch is one of bounds not tried; the sum under the bound above it is no greater than
        any in it.
        """
        bounds = self.asked.bounds
        if not len(bounds):
            return []
        total = float(self.asked.before[-1, 0])
        stretches: list[tuple[float, int, int, float]] = []
        self._push(stretches, 0, len(bounds) - 1, total)
        while stretches:
            least, low, high, total = heapq.heappop(stretches)
            if least >= self.record * (1 - CLOSE):
                break
            hopeless = not self.met and self.tried  # what the highest bound tells
            middle = high if hopeless else (low + high) // 2
            found = self._under(middle, low)
            if found is not None:
                self._push(stretches, low, found[1] - 1, found[0])
            self._push(stretches, middle + 1, high, total)
        return list(self.met.values())

    @property
    def record(self) -> float:
        """Seconds that there is to beat."""
        return min([self.limit, *(each.objective_s for each in self.met.values())])

    def _push(self, stretches: list[tuple[float, int, int, float]], low: int, high: int,
              total: float) -> None:
        if low <= high:
            heapq.heappush(stretches, (total + self._later(low), low, high, total))

    def _later(self, number: int) -> float:
        """Seconds of all but one micro-batch at a bound."""
        return (self.asked.microbatches - 1) * float(self.asked.bounds[number])

    def _under(self, number: int, low: int) -> tuple[float, int] | None:
        """The least sum with no stage slower than a bound, and the number of the bound that its
        slowest one has; None where none could beat the record, were its slowest one at `low`."""
        self.tried += 1
        asked, most = self.asked, None
        if self.record < np.inf:
            most = self.record * (1 + CLOSE) - self._later(low) - asked.before
        tables = self.tables(devices=asked.devices, total=True, cap=float(asked.bounds[number]),
                             most=most)
        ending = tables.ending[asked.devices if asked.exactly else 0:]
        total = float(ending.min())
        if total == np.inf:
            return None
        cut = tables.cut(int(ending.argmin()) + asked.devices + 1 - len(ending))
        slowest = max(float(asked.costs.worst[m, i, j]) for i, j, m in cut)
        objective = total + (asked.microbatches - 1) * slowest
        known = self.met.get(len(cut))
        if known is None or objective < known.objective_s:
            self.met[len(cut)] = Found(cut, slowest, objective)
        return total, int(np.searchsorted(asked.bounds, slowest))
