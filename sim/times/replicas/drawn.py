"""Jittered seconds of replicas side by side: drawn lane by lane, wanted place by place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sim.arrays import Floats
from sim.times.costs import CostModel

TOGETHER = 16  # lanes turned at once: what they write of a place fills two cache lines
CACHE_LINE, PAGE = 8, 512  # float64s

Stream = tuple[CostModel, np.random.Generator]


@dataclass(frozen=True)
class Drawn:
    """Jittered seconds of a program's instructions, drawn for several replicas at once.

    They are at so many `places`; `nominal` gives them without jitter under some costs, in arrays
    of shape (stages, micro-batches) or (stages, 1), see `CostModel.by_block`.
    """

    places: int
    nominal: Callable[[CostModel], Sequence[Floats]]

    def fill(self, seconds: Floats, streams: Sequence[Stream]) -> None:
        """Draw the seconds of each replica into its lane of `seconds`, shape (places, lanes).

        `streams` has the costs and the random generator of each.
        """
        for first in range(0, len(streams), TOGETHER):
            few = slice(first, first + TOGETHER)
            seconds[:, few] = self._lanes(streams[few]).T

    def _lanes(self, streams: Sequence[Stream]) -> Floats:
        """Seconds of shape (lanes, places)."""
        lanes = self._room[:len(streams), :self.places]
        before: CostModel | None = None
        for lane, (costs, rng) in zip(lanes, streams, strict=True):
            if costs is not before:
                before, blocks = costs, self.nominal(costs)
            costs.jitter(blocks, rng, lane)
        return lanes

    @cached_property
    def _room(self) -> Floats:
        """Lanes begin whole pages and a cache line after each other: else a place's all fall into
        one set of the cache and push each other out where they are turned."""
        pages = -(-self.places // PAGE)
        return np.empty((TOGETHER, pages * PAGE + CACHE_LINE))
