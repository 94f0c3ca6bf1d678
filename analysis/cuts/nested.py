"""Cuts for a network of several levels: each level cuts a run for the parts of the one below.

A stage of the highest level has some of its parts (servers, say), and a cut of its own on each
that is the same; to the level above, its seconds are those of that cut's slowest stage or message.
In the end a stage has as many devices as parts of all levels around it.

A stage's depth counts its devices against all after it, on parts of every level, all of their
devices among them [choice: also those that a cut leaves out].

Source: Narayanan et al. 2019 (PipeDream, section 3.1: "the partitioning algorithm", by level).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from analysis.cuts.blocks import Blocks
from analysis.cuts.costs import Prices, exchange_s, prices_of
from analysis.cuts.problem import PlannedStage, Problem
from analysis.cuts.tables import Cut
from analysis.cuts.throughput import Found
from sim.arrays import Floats, Ints

NOTHING = Fraction(0)


class Place(NamedTuple):
    """Where a stage is: on parts of a level, `behind` of which come after each of its own; what
    takes more than `cap` seconds there is left out."""

    level: int
    behind: Fraction
    cap: float


class Runs(NamedTuple):
    """Seconds of the best cuts of the blocks from i to j − 1 on exactly so many parts, (parts + 1,
    n + 1, n + 1): `rest` with the message into the first stage, `found` without."""

    rest: Floats
    found: Floats


@dataclass
class Nested:
    """The cuts of runs of blocks on parts of a problem's levels; `deep` is the greatest depth at
    which a stage of the blocks from i to j − 1 fits a device, (n + 1, n + 1), None: all do.  Cuts
    that take more than `cap` seconds are left out."""

    problem: Problem
    blocks: Blocks
    deep: Ints | None = None
    cap: float = np.inf
    _prices: dict[tuple[Place, int], Prices] = field(default_factory=dict)
    _runs: dict[Place, Runs] = field(default_factory=dict)

    def prices(self, place: Place, ways: int) -> Prices:
        """What stages cost that have `ways` parts of a level."""
        key = place, ways
        if key not in self._prices:
            own = self.on_a_part(place._replace(cap=place.cap * ways))
            seconds, worst = prices_of(self.problem, self.blocks, own,
                                       self.problem.levels[place.level], ways)
            self._prices[key] = Prices(*(np.where(each > place.cap, np.inf, each)
                                         for each in (seconds, worst)))
        return self._prices[key]

    def ways(self, level: int) -> int:
        """The most parts of a level that a stage may have."""
        return self.problem.levels[level].count if self.problem.replicas else 1

    def parts(self, level: int) -> int:
        """The most parts of a level that a cut may have: without replicas one for each block."""
        count = self.problem.levels[level].count
        return count if self.problem.replicas else min(count, len(self.blocks))

    def on_a_part(self, place: Place) -> Floats:
        """Seconds of the blocks from i to j − 1 on one part of a level, a device or a cut of their
        own on the parts below, (n + 1, n + 1)."""
        if place.level:
            best: Floats = self.runs(place).found.min(axis=0)
            return best
        blocks = self.blocks
        own = blocks.over(blocks.pass_s) + blocks.over(blocks.update_s) / self.problem.microbatches
        fits = own <= place.cap
        if self.deep is not None:
            fits &= self.deep > math.ceil(place.behind)
        return np.where(np.triu(fits, 1), own, np.inf)

    def runs(self, place: Place) -> Runs:
        """The cuts of runs of blocks on one part of a level above the lowest, by the parts below
        that it has."""
        if place not in self._runs:
            parts, size = self.parts(place.level - 1), len(self.blocks) + 1
            rest, found = (np.full((parts + 1, size, size), np.inf) for _ in range(2))
            rest[0][np.diag_indices(size)] = 0.0
            for devices in range(1, parts + 1):
                for ways in range(1, min(devices, self.ways(place.level - 1)) + 1):
                    prices = self.prices(self.below(place, devices, ways), ways)
                    before = rest[devices - ways]
                    for target, first in ((rest, prices.worst), (found, prices.seconds)):
                        np.minimum(target[devices], _through(first, before), out=target[devices])
            self._runs[place] = Runs(rest, found)
        return self._runs[place]

    def below(self, place: Place, devices: int, ways: int) -> Place:
        """Where a stage is on `ways` parts of the level below, which has `devices` of them
        together with those after it on one part of a level."""
        level, behind, cap = place
        after = devices - ways + behind * self.problem.levels[level - 1].count
        return self._at(level - 1, after / ways, cap)

    def top(self, devices: int, ways: int) -> Place:
        """Where a stage is on `ways` parts of the highest level, which has `devices` of them
        together with those after it."""
        return self._at(len(self.problem.levels) - 1, Fraction(devices - ways, ways), self.cap)

    def _at(self, level: int, behind: Fraction, cap: float) -> Place:
        """A place, its parts behind rounded up to whole devices: no depth tells them apart."""
        if self.deep is None:
            return Place(level, NOTHING, cap)
        devices = math.prod(each.count for each in self.problem.levels[:level])
        return Place(level, Fraction(math.ceil(behind * devices), devices), cap)

    def by_stages(self) -> list[Found]:
        """The best cut for each number of stages of the highest level, on at most all its parts."""
        level, n = len(self.problem.levels) - 1, len(self.blocks)
        parts = self.parts(level)
        most = min(parts, n)
        best = np.full((most + 1, parts + 1, n + 1), np.inf)
        best[0, 0, n] = 0.0
        for number in range(1, most + 1):
            for devices in range(number, parts + 1):
                for ways in range(1, min(devices - number + 1, self.ways(level)) + 1):
                    worst = self.prices(self.top(devices, ways), ways).worst
                    both = np.maximum(worst, best[number - 1, devices - ways][None]).min(axis=1)
                    np.minimum(best[number, devices], both, out=best[number, devices])
        found = []
        for number in range(1, most + 1):
            devices = int(best[number, :, 0].argmin())
            if np.isfinite(best[number, devices, 0]):
                found.append(Found(self._cut(best, number, devices),
                                   *[float(best[number, devices, 0])] * 2))
        return found

    def _cut(self, best: Floats, number: int, devices: int) -> Cut:
        """The stages of a best cut at the highest level."""
        first, cut = 0, []
        for after in range(number - 1, -1, -1):
            options = {}
            for ways in range(1, min(devices - after, self.ways(len(self.problem.levels) - 1)) + 1):
                both = np.maximum(self.prices(self.top(devices, ways), ways).worst[first],
                                  best[after, devices - ways])
                options[float(both.min()), ways] = int(both.argmin())
            (_, ways), stop = min(options.items())
            cut.append((first, stop, ways))
            first, devices = stop, devices - ways
        return cut


def _through(first: Floats, rest: Floats) -> Floats:
    """The best largest of a stage from i to k and a cut from k to j, over all k: (n + 1, n + 1)."""
    size = len(first)
    found = np.full((size, size), np.inf)
    for k in range(1, size):
        column = first[:k, k]
        some = np.flatnonzero(np.isfinite(column))
        ends = k + np.flatnonzero(np.isfinite(rest[k, k:]))
        if len(some) and len(ends):
            both = np.maximum(column[some, None], rest[k, ends][None])
            where = np.ix_(some, ends)
            found[where] = np.minimum(found[where], both)
    return found


def flattened(nested: Nested, found: Found) -> tuple[PlannedStage, ...]:
    """The stages of a cut at the highest level down to devices, each with all it has."""
    parts = sum(ways for _, _, ways in found.cut)
    stages: list[PlannedStage] = []
    for first, stop, ways in found.cut:
        stages += _inside(nested, nested.top(parts, ways), (first, stop), ways)
        parts -= ways
    return tuple(stages)


def _inside(nested: Nested, place: Place, run: tuple[int, int], ways: int) -> list[PlannedStage]:
    """The stages of a run that has `ways` parts of a level, by the cut that each of them has."""
    part, (first, stop) = place._replace(cap=place.cap * ways), run
    stages: list[PlannedStage] = []
    weights = nested.blocks.over(nested.blocks.weight_bytes)[first, stop]
    shared = float(exchange_s(nested.problem, weights, nested.problem.levels[place.level], ways))
    if place.level:
        for each in _cut_of(nested, part, run):
            stages += _inside(nested, *each)
    else:
        seconds = float(nested.on_a_part(part)[first, stop])
        stages = [PlannedStage(*nested.blocks.layers(first, stop), 1, seconds)]
    return [PlannedStage(each.first, each.last, each.replicas * ways,
                         (each.seconds + shared) / ways) for each in stages]


def _cut_of(nested: Nested, part: Place, run: tuple[int, int]
            ) -> list[tuple[Place, tuple[int, int], int]]:
    """The stages of a best cut of a run on one part of a level, with the parts below they have."""
    (first, stop), runs = run, nested.runs(part)
    devices, cut = int(runs.found[:, first, stop].argmin()), []
    begins = True
    while first < stop:
        options = {}
        for ways in range(1, min(devices, nested.ways(part.level - 1)) + 1):
            prices = nested.prices(nested.below(part, devices, ways), ways)
            price = (prices.seconds if begins else prices.worst)[first]
            both = np.maximum(price, runs.rest[devices - ways, :, stop])
            options[float(both.min()), ways] = int(both.argmin())
        (_, ways), after = min(options.items())
        cut.append((nested.below(part, devices, ways), (first, after), ways))
        first, devices, begins = after, devices - ways, False
    return cut
