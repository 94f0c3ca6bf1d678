"""Synchronous data parallelism: every update applies the mean of the workers' gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.arrays import Floats, Ints
from sim.op import Op
from sim.order.shape import PipelineShape
from sim.times.cluster import Link
from sim.workers import Combine, Exchange, Learner, combine, ring_all_reduce_s


class MeanGradient(Exchange):
    """The `Exchange` of an all-reduce: every worker applies the mean of all workers' gradients."""

    def __init__(self, copies: Sequence[Learner]) -> None:
        super().__init__(copies)
        self._means: dict[int, Any] = {}
        self._served: dict[int, int] = {}

    def gradient(self, worker: int, minibatch: int) -> Any:
        if minibatch not in self._means:
            gradients = [each.take_gradient(minibatch) for each in self.copies]
            self._means[minibatch] = sum(gradients[1:], gradients[0]) / len(gradients)
            self._served[minibatch] = 0
        self._served[minibatch] += 1
        if self._served[minibatch] == len(self.copies):
            return self._means.pop(minibatch)
        return self._means[minibatch]


@combine("all-reduce", rule="an update waits for all workers' gradients and applies their mean",
         source="synchronous data parallelism; ring all-reduce cost (Patarasuk & Yuan 2009)")
@dataclass(frozen=True)
class AllReduce(Combine):
    """Synchronous data parallelism as a `Combine`: updates apply the workers' mean gradient.

    What is learnt is that of one worker on the joined batch, but for rounding (and batch
    statistics).
    """

    holds = Op.U
    awaits = Op.B
    acts_alone = False

    def waits(self, shape: PipelineShape) -> tuple[Ints, Ints]:
        own = np.arange(shape.of_worker.minibatches)
        return own, own

    def seconds(self, weight_bytes: Floats, link: Link, workers: int) -> Floats:
        return ring_all_reduce_s(weight_bytes, link, workers)

    def bytes_per_minibatch(self, weight_bytes: float, shape: PipelineShape) -> float:
        """Bytes between workers for each mini-batch: one exchange serves one of every worker."""
        return 2 * (shape.workers - 1) * weight_bytes / shape.workers

    def behind(self, minibatches: Ints, shape: PipelineShape) -> Ints:
        return np.zeros_like(minibatches)

    def exchange(self, copies: Sequence[Learner], shape: PipelineShape) -> Exchange:
        return MeanGradient(copies)
