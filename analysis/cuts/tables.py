"""The dynamic programme: the best of all cuts of a network's end, by stages and devices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from analysis.cuts.costs import Costs
from sim.arrays import Floats, Ints

ROWS = 24  # places looked at together: few waste on pairs without blocks, many calls are dear
Cut = list[tuple[int, int, int]]  # of each stage its first block, the one after its last, devices


@dataclass(frozen=True)
class Tables:
    """The best cuts of the blocks from i on into s stages on exactly d devices, for all s, i, d.

    All blocks are cut into `stages` of them, or at most so many where `fewer` is set.

    "Best" is the smallest of the sums of what stages add (`total`), else of the largest of their
    `worst`, among cuts whose stages are all within `cap` seconds.  A stage fits its devices by its
    depth: s, or as many as its devices go into d, rounded up, where costs go `by_devices`.
    `most`, in seconds, (n + 1, devices + 1), leaves out what is larger (None: nothing).
    """

    costs: Costs
    stages: int
    devices: int
    total: bool
    cap: float = np.inf
    most: Floats | None = None
    fewer: bool = False
    _prices: dict[tuple[int, int], Floats] = field(default_factory=dict, compare=False)

    @cached_property
    def room(self) -> Ints:
        """The most devices that the blocks from i on may have in s stages, (stages + 1, n + 1), so
        that those before i can be cut into the other stages within the cap; below 0: they cannot.

        Memory is left out, so there may be less room than that.
        """
        n, none = self.costs.blocks, self.devices + 1
        if self.cap == np.inf:
            return np.full((self.stages + 1, n + 1), self.devices)
        fits = self.costs.worst <= self.cap
        least = np.where(fits.any(axis=0), fits.argmax(axis=0), none)  # devices of a stage
        needed = np.full((self.stages + 1, n + 1), none)
        needed[self.stages, 0] = 0
        for stage in range(self.stages, 0, -1):
            needed[stage - 1] = np.minimum((needed[stage][:, None] + least).min(axis=0), none)
        if self.fewer:
            needed = np.minimum.accumulate(needed[::-1])[::-1]
        found: Ints = self.devices - needed
        return found

    @cached_property
    def best(self) -> Floats:
        """Seconds of the best cuts, (stages + 1, n + 1, devices + 1); infinite where there is
        none."""
        n = self.costs.blocks
        found = np.full((self.stages + 1, n + 1, self.devices + 1), np.inf)
        found[0, n, 0] = 0.0
        for stage in range(1, self.stages + 1):
            self._extend(found[stage], found[stage - 1], stage)
            if self.most is not None:
                found[stage][found[stage] > self.most] = np.inf
        return found

    @property
    def ending(self) -> Floats:
        """Seconds of the best cuts of all blocks, by how many devices they have, (devices + 1,)."""
        ending: Floats = self.best[1 if self.fewer else self.stages:, 0].min(axis=0)
        return ending

    def _extend(self, found: Floats, before: Floats, stage: int) -> None:
        """Put a stage before every cut into one stage less."""
        there, room = np.isfinite(before), self.room[stage]
        least = np.where(there.any(axis=1), there.argmax(axis=1), self.devices + 1)
        most = self.devices - there[:, ::-1].argmax(axis=1)
        if least.min() > self.devices:
            return
        for ways in range(1, min(self.costs.ways, int(room.max()) - int(least.min())) + 1):
            self._with(found, before, stage, ways, (least, most, room - ways))

    def _with(self, found: Floats, before: Floats, stage: int, ways: int,
              limits: tuple[Ints, Ints, Ints]) -> None:
        """Put a stage on `ways` devices before every cut into one stage less.

        `limits` are the least and most devices of those cuts, and the most there is room for before
        them, (n + 1,) each.
        """
        (least, most, space), price = limits, self.price(stage, ways)
        some = np.isfinite(price)
        for first in range(0, self.costs.blocks, ROWS):
            rows = slice(first, min(first + ROWS, self.costs.blocks))
            last = int(space[rows].max())
            ends = np.flatnonzero(some[rows].any(axis=0) & (least <= last))
            if not len(ends):
                continue
            low, high = int(least[ends].min()), min(last, int(most[ends].max()))
            each, rest = price[rows, ends], before[ends, low:high + 1]
            both = self._joined(each[:, :, None], rest[None])
            if self.costs.by_devices and self.costs.deep is not None:
                deep = self.costs.deep[ways, rows][:, ends, None]
                both[np.arange(low, high + 1) > (deep - 1) * ways] = np.inf
            target = found[rows, low + ways:high + ways + 1]
            np.minimum(target, both.min(axis=1), out=target)

    def _joined(self, stage: Floats, rest: Floats) -> Floats:
        joined: Floats = stage + rest if self.total else np.maximum(stage, rest)
        return joined

    def price(self, stage: int, ways: int) -> Floats:
        """What each stage costs that has `stage` stages from it on and `ways` devices, (n + 1,
        n + 1); infinite where it is not allowed."""
        costs, key = self.costs, (0 if self.costs.anywhere else stage, ways)
        if key in self._prices:
            return self._prices[key]
        worst = costs.worst[ways]
        allowed = worst <= self.cap
        if costs.deep is not None:
            allowed &= costs.deep[ways] >= (1 if costs.by_devices else stage)
        found = np.where(allowed, costs.adds[ways] if self.total else worst, np.inf)
        if not key[0]:
            self._prices[key] = found
        return found

    def cut(self, devices: int) -> Cut:
        """A best cut of all blocks on so many devices, into the fewest stages.

        Of several that are as good, stages come as short and on as few devices as can be, the
        first one first.
        """
        stages = int(self.best[1:, 0, devices].argmin()) + 1 if self.fewer else self.stages
        return list(self._stages(stages, devices))

    def _stages(self, stages: int, devices: int) -> Iterator[tuple[int, int, int]]:
        first, n = 0, self.costs.blocks
        for stage in range(stages, 0, -1):
            most = min(self.costs.ways, devices - stage + 1)
            options = np.full((n + 1, most + 1), np.inf)
            for ways in range(1, most + 1):
                rest = self.best[stage - 1, :, devices - ways]
                options[:, ways] = self._joined(self.price(stage, ways)[first], rest)
                deep = self.costs.deep
                if self.costs.by_devices and deep is not None:
                    options[devices - ways > (deep[ways, first] - 1) * ways, ways] = np.inf
            after, ways = divmod(int(options.argmin()), most + 1)
            yield first, after, ways
            first, devices = after, devices - ways
