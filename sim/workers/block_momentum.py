"""BMUF: workers train a block alone, block momentum filters the averaged update."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.arrays import Floats, Ints
from sim.errors import shown
from sim.op import Op
from sim.order.shape import PipelineShape
from sim.times.cluster import Link
from sim.workers import (
    MOST_MINIBATCHES,
    Combine,
    Exchange,
    Learner,
    combine,
    ring_all_reduce_s,
)

MOST_RATE = 1e6


class BlockFilter(Exchange):
    """The `Exchange` of BMUF: after every block all workers go on from filtered mean weights.

    W ← W_prev + Δ with Δ ← μΔ + ζ(mean of the workers − W_prev).
    """

    def __init__(self, copies: Sequence[Learner], rule: BlockMomentum) -> None:
        super().__init__(copies)
        self.rule = rule
        self._previous = copies[0].weights
        self._filtered: Any = 0.0 * self._previous
        self._blocks = 0

    def before_forward(self, worker: int, minibatch: int) -> None:
        block, place = divmod(minibatch, self.rule.block)
        if place or not block:
            return
        if block > self._blocks:  # the first worker to come: all have ended the block before
            self._previous, self._filtered = self._combined()
            self._blocks = block
        self.copies[worker].refresh(self._previous)

    def _combined(self) -> tuple[Any, Any]:
        weights = [each.weights for each in self.copies]
        step = sum(weights[1:], weights[0]) / len(weights) - self._previous
        filtered = self.rule.momentum * self._filtered + self.rule.rate * step
        return self._previous + filtered, filtered

    def consensus(self) -> Any:
        """The weights (parameters,) after one more filtering: the block the run ended in."""
        return self._combined()[0]


@combine("block-momentum",
         rule="after every block of mini-batches Δ ← μΔ + ζ(mean − W), W ← W + Δ",
         source="Chen & Huo 2016 (BMUF), classical block momentum [recalled]; a worker's own "
                "velocity lives on across blocks [choice]")
@dataclass(frozen=True)
class BlockMomentum(Combine):
    """BMUF as a `Combine`: each worker trains `block` mini-batches alone, then all are filtered.

    `momentum` is the block momentum μ, `rate` the block learning rate ζ.  Raises ValueError.
    """

    holds = Op.F
    awaits = Op.U
    block: int = 5
    momentum: float = 0.0
    rate: float = 1.0

    def __post_init__(self) -> None:
        if not (1 <= self.block <= MOST_MINIBATCHES and 0 <= self.momentum < 1
                and 0 < self.rate <= MOST_RATE):
            raise ValueError(f"block is 1 to {MOST_MINIBATCHES}, 0 <= momentum < 1 and "
                             f"0 < rate <= {MOST_RATE:g}, got block={shown(self.block)} "
                             f"momentum={self.momentum} rate={self.rate}")

    def waits(self, shape: PipelineShape) -> tuple[Ints, Ints]:
        first = np.arange(self.block, shape.of_worker.minibatches, self.block)
        return first, first - 1

    def seconds(self, weight_bytes: Floats, link: Link, workers: int) -> Floats:
        return ring_all_reduce_s(weight_bytes, link, workers)

    def bytes_per_minibatch(self, weight_bytes: float, shape: PipelineShape) -> float:
        return 2 * (shape.workers - 1) * weight_bytes / (shape.workers * self.block)

    def behind(self, minibatches: Ints, shape: PipelineShape) -> Ints:
        behind: Ints = minibatches % self.block
        return behind

    def exchange(self, copies: Sequence[Learner], shape: PipelineShape) -> Exchange:
        return BlockFilter(copies, self)
