"""What every possible stage costs: seconds by its blocks and its devices, for either objective."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from analysis.cuts.blocks import Blocks
from analysis.cuts.problem import Level, Problem
from sim.arrays import Floats, Ints
from sim.times.cluster import Link
from sim.workers import ring_all_reduce_s


@dataclass(frozen=True)
class Costs:
    """Seconds of stages for a micro-batch: of the blocks from i to j − 1 on m devices.

    All have shape (ways + 1, n + 1, n + 1), by m, i and j, and are infinite where there is no such
    stage.  `seconds` are a stage's own, `worst` those that the slowest of all counts (of its
    devices, or of the link into it), `adds` what it adds to the sum of all.  `deep` is the
    greatest depth at which a stage fits its devices (None: all do at any); depths count devices by
    the devices of the stage where `by_devices`, else stages.
    """

    seconds: Floats
    worst: Floats
    adds: Floats
    deep: Ints | None = None
    by_devices: bool = False

    @property
    def ways(self) -> int:
        """The most devices of a stage."""
        return len(self.worst) - 1

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return len(self.worst[0]) - 1

    @property
    def anywhere(self) -> bool:
        """Whether a stage's price does not depend on the number of stages after it."""
        return self.deep is None or self.by_devices

    @cached_property
    def anyway(self) -> Costs:
        """The costs of those stages alone that fit before the fewest stages that can come after
        them, where costs go by the number of stages: what no cut with a limit is better than."""
        if self.deep is None or self.by_devices:
            return replace(self, deep=None)
        n, deep = self.blocks, self.deep.max(axis=0)
        after = np.full(n + 1, n + 1)  # the fewest stages of the blocks from each place on
        after[n] = 0
        for first in range(n - 1, -1, -1):
            after[first] = min([n, *after[deep[first] > after]]) + 1
        none = self.deep <= after
        seconds, worst, adds = (np.where(none, np.inf, each)
                                for each in (self.seconds, self.worst, self.adds))
        return Costs(seconds, worst, adds)

    @property
    def backwards(self) -> Costs:
        """The costs of the same blocks from the last to the first, with room for all of them."""
        seconds, worst, adds = (each[:, ::-1, ::-1].transpose(0, 2, 1)
                                for each in (self.seconds, self.worst, self.adds))
        return Costs(seconds, worst, adds)

    def limited(self, deep: Ints, by_devices: bool) -> Costs:
        """These costs where a stage fits its devices no deeper than `deep`, (ways + 1, n + 1,
        n + 1)."""
        return replace(self, deep=deep, by_devices=by_devices)


def costs_of(problem: Problem, blocks: Blocks, ways: int) -> Costs:
    """The costs of the problem's stages on 1 … `ways` devices of the lowest level of the network.

    Of `throughput` a stage on m devices takes `(Σt + 4(m−1)Σparam/(B·m))/m` and the message into
    it, with its gradient back, `2a/(B·m)`.  Of `flush` it takes `Σt/m` and a ring's all-reduce of
    its weights, shared out among a mini-batch's micro-batches [choice]; messages count where
    `problem.transfers` asks for it.
    Source: Narayanan et al. 2019 (PipeDream, its optimizer); Zheng et al. 2022 (Alpa).
    """
    own = blocks.over(blocks.pass_s) + blocks.over(blocks.update_s) / problem.microbatches
    if problem.objective == "throughput":
        return throughput_costs(problem, blocks, own, problem.levels[0], ways)
    weights = blocks.over(blocks.weight_bytes)
    seconds = np.full((ways + 1, *own.shape), np.inf)
    arrives = np.zeros((ways + 1, len(own)))
    for many in range(1, ways + 1):
        level = level_for(problem.levels, many)
        link = Link(level.latency_s, level.bandwidth_bytes_per_s)
        shared = ring_all_reduce_s(weights, link, many) / problem.microbatches
        seconds[many] = blocks.over(blocks.pass_s) / many \
            + blocks.over(blocks.update_s) / problem.microbatches + shared
        arrives[many] = 2 * blocks.sent_bytes / (problem.levels[-1].bandwidth_bytes_per_s * many)
    seconds[:, ~_some(len(own))] = np.inf
    if not problem.transfers:
        return Costs(seconds, seconds, seconds)
    return Costs(seconds, np.maximum(seconds, arrives[:, :, None]), seconds + arrives[:, :, None])


def throughput_costs(problem: Problem, blocks: Blocks, own: Floats, level: Level, ways: int
                     ) -> Costs:
    """The costs of stages of an endless run on 1 … `ways` parts of a level of the network.

    `own` are the seconds of a micro-batch on one part, (n + 1, n + 1); a ring's latency counts
    too, that of a message does not, since links hand on one while the next is under way [choice].
    """
    weights = blocks.over(blocks.weight_bytes)
    seconds = np.full((ways + 1, *own.shape), np.inf)
    worst = seconds.copy()
    for many in range(1, ways + 1):
        seconds[many] = (own + exchange_s(problem, weights, level, many)) / many
        arrives = 2 * blocks.sent_bytes / (level.bandwidth_bytes_per_s * many)
        worst[many] = np.maximum(seconds[many], arrives[:, None])
    seconds[:, ~_some(len(own))] = np.inf
    worst[:, ~_some(len(own))] = np.inf
    return Costs(seconds, worst, seconds)


def exchange_s(problem: Problem, weights: Floats, level: Level, many: int) -> Floats:
    """Seconds, for a micro-batch, in which `many` parts of a level add up gradients of an endless
    run as large as `weights`, in bytes; of the shape of `weights`."""
    once: Floats = 4 * (many - 1) * weights / (level.bandwidth_bytes_per_s * many) \
        + 2 * (many - 1) * level.latency_s
    return once / problem.microbatches


def level_for(levels: tuple[Level, ...], many: int) -> Level:
    """The lowest level of the network that has so many devices below it [choice: a stage's devices
    lie as near to each other as can be]."""
    room = 1
    for level in levels:
        room *= level.count
        if many <= room:
            return level
    return levels[-1]


def _some(size: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Which pairs of places have blocks between them, (size, size)."""
    return np.triu(np.ones((size, size), dtype=bool), 1)
