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
from analysis.cuts.costs import Costs, exchange_s, throughput_costs
from analysis.cuts.problem import PlannedStage, Problem
from analysis.cuts.tables import Cut
from analysis.cuts.throughput import Found
from sim.arrays import Floats, Ints

Place = tuple[int, Fraction]  # a level, and how many of its parts come after
NOTHING = Fraction(0)


class Runs(NamedTuple):
    """Seconds of the best cuts of the blocks from i to j − 1 on exactly so many parts, (parts + 1,
    n + 1, n + 1): `rest` with the message into the first stage, `found` without."""

    rest: Floats
    found: Floats


@dataclass
class Nested:
    """The cuts of runs of blocks on parts of a problem's levels; `deep` is the greatest depth at
    which a stage of the blocks from i to j − 1 fits a device, (n + 1, n + 1), None: all do."""

    problem: Problem
    blocks: Blocks
    deep: Ints | None = None
    _costs: dict[Place, Costs] = field(default_factory=dict)
    _runs: dict[Place, Runs] = field(default_factory=dict)

    def costs(self, level: int, behind: Fraction) -> Costs:
        """What stages cost on parts of a level, where so many parts come after each of theirs."""
        key = level, behind if self.deep is not None else NOTHING
        if key not in self._costs:
            self._costs[key] = throughput_costs(self.problem, self.blocks, self.on_a_part(*key),
                                                self.problem.levels[level], self.ways(level))
        return self._costs[key]

    def ways(self, level: int) -> int:
        """The most parts of a level that a stage may have."""
        return self.problem.levels[level].count if self.problem.replicas else 1

    def on_a_part(self, level: int, behind: Fraction) -> Floats:
        """Seconds of the blocks from i to j − 1 on one part of a level, a device or a cut of their
        own on the parts below, (n + 1, n + 1); `behind` such parts come after it."""
        if level:
            best: Floats = self.runs(level, behind).found.min(axis=0)
            return best
        blocks = self.blocks
        own = blocks.over(blocks.pass_s) + blocks.over(blocks.update_s) / self.problem.microbatches
        fits = True if self.deep is None else self.deep > math.ceil(behind)
        return np.where(np.triu(np.ones(own.shape, dtype=bool), 1) & fits, own, np.inf)

    def runs(self, level: int, behind: Fraction) -> Runs:
        """The cuts of runs of blocks on one part of a level above the lowest, by the parts below
        that it has; `behind` such parts come after it."""
        below = level - 1
        key = level, behind if self.deep is not None else NOTHING
        if key not in self._runs:
            parts, size = self.problem.levels[below].count, len(self.blocks) + 1
            rest, found = (np.full((parts + 1, size, size), np.inf) for _ in range(2))
            rest[0][np.diag_indices(size)] = 0.0
            for devices in range(1, parts + 1):
                for ways in range(1, min(devices, self.ways(below)) + 1):
                    costs = self.costs(below, self.after(key, devices, ways))
                    before = rest[devices - ways]
                    for target, first in ((rest, costs.worst), (found, costs.seconds)):
                        np.minimum(target[devices], _through(first[ways], before),
                                   out=target[devices])
            self._runs[key] = Runs(rest, found)
        return self._runs[key]

    def after(self, key: Place, devices: int, ways: int) -> Fraction:
        """How many parts of the level below come after each of a stage's `ways`, where it and
        those after it on its part of the level in `key` have `devices`."""
        level, behind = key
        return (devices - ways + behind * self.problem.levels[level - 1].count) / Fraction(ways)

    def by_stages(self) -> list[Found]:
        """The best cut for each number of stages of the highest level, on at most all its parts."""
        level, n = len(self.problem.levels) - 1, len(self.blocks)
        parts = self.problem.levels[level].count
        most = min(parts, n)
        best = np.full((most + 1, parts + 1, n + 1), np.inf)
        best[0, 0, n] = 0.0
        for number in range(1, most + 1):
            for devices in range(number, parts + 1):
                for ways in range(1, min(devices - number + 1, self.ways(level)) + 1):
                    worst = self._top(devices, ways).worst[ways]
                    both = np.maximum(worst, best[number - 1, devices - ways][None]).min(axis=1)
                    np.minimum(best[number, devices], both, out=best[number, devices])
        found = []
        for number in range(1, most + 1):
            devices = int(best[number, :, 0].argmin())
            if np.isfinite(best[number, devices, 0]):
                found.append(Found(self._cut(best, number, devices),
                                   *[float(best[number, devices, 0])] * 2))
        return found

    def _top(self, devices: int, ways: int) -> Costs:
        return self.costs(len(self.problem.levels) - 1, (devices - ways) / Fraction(ways))

    def _cut(self, best: Floats, number: int, devices: int) -> Cut:
        """The stages of a best cut at the highest level."""
        first, cut = 0, []
        for after in range(number - 1, -1, -1):
            options = {}
            for ways in range(1, min(devices - after, self.ways(len(self.problem.levels) - 1)) + 1):
                both = np.maximum(self._top(devices, ways).worst[ways, first],
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
    level, parts = len(nested.problem.levels) - 1, sum(ways for _, _, ways in found.cut)
    stages: list[PlannedStage] = []
    for first, stop, ways in found.cut:
        parts -= ways
        stages += _inside(nested, (level, parts / Fraction(ways)), (first, stop), ways)
    return tuple(stages)


def _inside(nested: Nested, place: Place, run: tuple[int, int], ways: int) -> list[PlannedStage]:
    """The stages of a run that has `ways` parts of a level, by the cut that each of them has."""
    (level, behind), (first, stop) = place, run
    stages: list[PlannedStage] = []
    weights = nested.blocks.over(nested.blocks.weight_bytes)[first, stop]
    shared = float(exchange_s(nested.problem, weights, nested.problem.levels[level], ways))
    if not level:
        seconds = nested.on_a_part(0, behind)[first, stop]
        stages = [PlannedStage(*nested.blocks.layers(first, stop), 1, float(seconds))]
    else:
        for each in _cut_of(nested, (level, behind), run):
            stages += _inside(nested, *each)
    return [PlannedStage(each.first, each.last, each.replicas * ways,
                         (each.seconds + shared) / ways) for each in stages]


def _cut_of(nested: Nested, key: Place, run: tuple[int, int]
            ) -> list[tuple[Place, tuple[int, int], int]]:
    """The stages of a best cut of a run on one part of a level, with the parts below they have."""
    (first, stop), runs = run, nested.runs(*key)
    devices, cut = int(runs.found[:, first, stop].argmin()), []
    begins = True
    while first < stop:
        options = {}
        for ways in range(1, min(devices, nested.ways(key[0] - 1)) + 1):
            costs = nested.costs(key[0] - 1, nested.after(key, devices, ways))
            price = (costs.seconds if begins else costs.worst)[ways, first]
            both = np.maximum(price, runs.rest[devices - ways, :, stop])
            options[float(both.min()), ways] = int(both.argmin())
        (_, ways), after = min(options.items())
        cut.append(((key[0] - 1, nested.after(key, devices, ways)), (first, after), ways))
        first, devices, begins = after, devices - ways, False
    return cut
