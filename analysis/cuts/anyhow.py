"""The dynamic programme where the number of stages plays no part: cuts into any number of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from analysis.cuts.costs import Costs
from analysis.cuts.tables import Cut
from sim.arrays import Floats, Ints


@dataclass(frozen=True)
class Anyhow:
    """The best cuts of the blocks from i on into any number of stages on exactly d devices.

    As `analysis.cuts.tables.Tables` has them by number of stages, of costs that do not depend
    on it.  `most`, in seconds, (n + 1, devices + 1), leaves out what is larger (None: nothing).
    """

    costs: Costs
    devices: int
    total: bool
    cap: float = np.inf
    most: Floats | None = None

    @cached_property
    def best(self) -> Floats:
        """Seconds of the best cuts, (n + 1, devices + 1); infinite where there is none."""
        n, ways = self.costs.blocks, min(self.costs.ways, self.devices)
        padded = np.full((n + 1, ways + self.devices + 1), np.inf)  # no cut on fewer than 0 devices
        found = padded[:, ways:]
        found[n, 0] = 0.0
        there = np.arange(n + 1) == n  # the places from which there is a cut
        for first in range(n - 1, -1, -1):
            price = self.prices[1:ways + 1, first]
            some = (price < np.inf) & there
            ends, many = np.flatnonzero(some.any(axis=0)), np.flatnonzero(some.any(axis=1))
            if len(ends):
                low, high = many[0] + 1, many[-1] + 1
                rest = sliding_window_view(padded[ends, ways - high:], self.devices + 1, axis=1)
                rest = rest[:, high - low::-1]  # by the devices of the stage, from `low` on
                both = self._joined(price[low - 1:high, ends, None], rest.transpose(1, 0, 2))
                self._refuse(both, first, slice(low, high + 1), ends)
                found[first] = both.min(axis=(0, 1))
            if self.most is not None:
                found[first][found[first] > self.most[first]] = np.inf
            there[first] = np.isfinite(found[first]).any()
        return found

    def _refuse(self, both: Floats, first: int, ways: slice, ends: Ints) -> None:
        """Make those infinite whose first stage does not fit, (devices of the stage, ends, devices
        + 1)."""
        if self.costs.deep is not None:
            deep = self.costs.deep[ways, first][:, ends, None]
            many = np.arange(ways.start, ways.stop)[:, None, None]
            both[np.arange(self.devices + 1) - many > (deep - 1) * many] = np.inf

    @cached_property
    def prices(self) -> Floats:
        """What each stage costs, (ways + 1, n + 1, n + 1); infinite where it is not allowed."""
        costs = self.costs
        allowed = costs.worst <= self.cap
        if costs.deep is not None:
            allowed &= costs.deep > 0
        return np.where(allowed, costs.adds if self.total else costs.worst, np.inf)

    @property
    def ending(self) -> Floats:
        """Seconds of the best cuts of all blocks, by how many devices they have, (devices + 1,)."""
        ending: Floats = self.best[0]
        return ending

    def _joined(self, stage: Floats, rest: Floats) -> Floats:
        joined: Floats = stage + rest if self.total else np.maximum(stage, rest)
        return joined

    def cut(self, devices: int) -> Cut:
        """A best cut of all blocks on so many devices."""
        first, n, cut = 0, self.costs.blocks, []
        while first < n:
            most = min(self.costs.ways, devices)
            options = np.full((n + 1, most + 1), np.inf)
            for ways in range(1, most + 1):
                options[:, ways] = self._joined(self.prices[ways, first],
                                                self.best[:, devices - ways])
                if self.costs.deep is not None:
                    deep = self.costs.deep[ways, first]
                    options[devices - ways > (deep - 1) * ways, ways] = np.inf
            options[:first + 1] = np.inf
            after, ways = divmod(int(options.argmin()), most + 1)
            cut.append((first, after, ways))
            first, devices = after, devices - ways
        return cut
