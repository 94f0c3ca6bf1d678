"""BMUF: workers train a block alone, block momentum filters the averaged update."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
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


@dataclass(frozen=True)
class Base:
    """What one block of mini-batches, the `number`th from 0, begins with; (parameters,) each.

    `weights` are the filtered ones W, `step` the filter's last Δ, and `start` what the workers set
    out from: W itself, or with Nesterov's look-ahead W + μΔ.
    """

    number: int
    weights: Any
    step: Any
    start: Any


class BlockFilter(Exchange):
    """The `Exchange` of BMUF: after every block all workers go on from filtered mean weights.

    W ← W + Δ with Δ ← μΔ + ζ(mean of the workers − what they set out from).
    """

    def __init__(self, copies: Sequence[Learner], rule: BlockMomentum) -> None:
        super().__init__(copies)
        self.rule = rule
        first = copies[0].weights
        self._newest = Base(0, first, 0.0 * first, first)
        self._of = [self._newest] * len(copies)  # the base of the block each worker is in
        self._unused = deepcopy(copies[0].optimizer)

    def before_forward(self, worker: int, minibatch: int) -> None:
        block, place = divmod(minibatch, self.rule.block)
        if place or not block:
            return
        if block > self._newest.number:  # the first worker to come: all have ended the block before
            self._newest = self._filtered(self._newest, [each.weights for each in self.copies])
        self._of[worker] = self._newest
        self.copies[worker].refresh(self._newest.start)
        if self.rule.reset:
            self.copies[worker].optimizer = deepcopy(self._unused)

    def _filtered(self, base: Base, weights: Sequence[Any]) -> Base:
        """The base of the next block, where the workers ended one with these weights."""
        rule = self.rule
        gained = sum(weights[1:], weights[0]) / len(weights) - base.start
        step = rule.momentum * base.step + rule.rate * gained
        new = base.weights + step
        start = new + rule.momentum * step if rule.nesterov else new
        return Base(base.number + 1, new, step, start)

    def share(self, worker: int) -> Any:
        """The base of the block a worker is in, and its weights (parameters,)."""
        return self._of[worker], self.copies[worker].weights

    def consensus(self, shares: Mapping[int, Any]) -> Any:
        """The weights (parameters,) after one more filtering: the newest block ended here.

        A worker that has not begun that block stands at its start.
        """
        base = max((base for base, _ in shares.values()), key=lambda base: base.number)
        there = {worker: weights for worker, (own, weights) in shares.items() if own is base}
        return self._filtered(base, [there.get(worker, base.start)
                                     for worker in range(len(self.copies))]).weights


@combine("block-momentum",
         rule="after every block of mini-batches Δ ← μΔ + ζ(mean − start), W ← W + Δ; workers "
              "start the next from W, or W + μΔ (nesterov), their velocities at zero (reset)",
         source="Chen & Huo 2016 (BMUF), both forms of block momentum [recalled]; velocities are "
                "reset by default as in their toolkit [notes], which looks ahead by default; here "
                "the classical form is the default, and an optimizer with more state than a "
                "velocity loses all of it at a reset [choice]")
@dataclass(frozen=True)
class BlockMomentum(Combine):
    """BMUF as a `Combine`: each worker trains `block` mini-batches alone, then all are filtered.

    `momentum` is the block momentum μ, `rate` the block learning rate ζ.  With `reset` the
    workers' optimizers start anew with every block, without it their velocities live on; with
    `nesterov` workers set out from where the filter's next step alone would lead.  Raises
    ValueError.
    """

    holds = Op.F
    awaits = Op.U
    block: int = 5
    momentum: float = 0.0
    rate: float = 1.0
    reset: bool = True
    nesterov: bool = False

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
