"""The dynamic programme: the best of all cuts of a network's end, by stages and devices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analysis.cuts.costs import Costs
from sim.arrays import Floats

ROWS = 24  # places looked at together: few waste on pairs without blocks, many calls are dear
Cut = list[tuple[int, int, int]]  # of each stage its first block, the one after its last, devices


@dataclass(frozen=True)
class Tables:
    """The best cuts of the blocks from i on into s stages on exactly d devices, for all s, i, d.

    "Best" is the smallest of the sums of what stages add (`total`), else of the largest of their
    `worst`, among cuts whose stages are all within `cap` seconds.  A stage fits its devices by its
    depth: s, or as many as its devices go into d, rounded up, where costs go `by_devices`.
    """

    costs: Costs
    stages: int
    devices: int
    total: bool
    cap: float = np.inf

    @cached_property
    def best(self) -> Floats:
        """Seconds of the best cuts, (stages + 1, n + 1, devices + 1); infinite where there is
        none."""
        n = self.costs.blocks
        found = np.full((self.stages + 1, n + 1, self.devices + 1), np.inf)
        found[0, n, 0] = 0.0
        for stage in range(1, self.stages + 1):
            for ways in range(1, min(self.costs.ways, self.devices - stage + 1) + 1):
                self._extend(found[stage], found[stage - 1], stage, ways)
        return found

    def _extend(self, found: Floats, before: Floats, stage: int, ways: int) -> None:
        """Put a stage on `ways` devices before every cut into one stage less."""
        n, price = self.costs.blocks, self.price(stage, ways)
        low, high = stage - 1, min(self.devices - ways, (stage - 1) * self.costs.ways)
        if high < low:
            return
        useful = np.flatnonzero(np.isfinite(before[:, low:high + 1]).any(axis=1))
        for first in range(0, n, ROWS):
            rows = slice(first, min(first + ROWS, n))
            ends = useful[useful > first]
            if not len(ends):
                break
            each = price[rows, ends]
            some = np.isfinite(each).any(axis=0)
            if not some.any():
                continue
            ends, each = ends[some], each[:, some]
            rest = before[ends, low:high + 1]
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
        costs = self.costs
        worst = costs.worst[ways]
        allowed = worst <= self.cap
        if costs.deep is not None:
            allowed &= costs.deep[ways] >= (1 if costs.by_devices else stage)
        return np.where(allowed, costs.adds[ways] if self.total else worst, np.inf)

    def cut(self, stages: int, devices: int) -> Cut:
        """A best cut of all blocks into so many stages on so many devices.

        Of several that are as good, stages come as short and on as few devices as can be, the
        first one first.
        """
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
