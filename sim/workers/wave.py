"""HetPipe's wave-synchronous parallel: pipelined workers, a parameter server, a clock distance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from sim.arrays import Floats, Ints
from sim.errors import shown
from sim.op import Op
from sim.order.shape import PipelineShape
from sim.times.cluster import Link
from sim.workers import MOST_MINIBATCHES, Combine, Exchange, Learner, combine


def wave_size(shape: PipelineShape) -> int:
    """How many mini-batches make a wave: those a worker has in flight (HetPipe's Nm)."""
    return min(shape.in_flight or shape.stages, shape.of_worker.minibatches)


class ParameterServer(Exchange):
    """The `Exchange` of HetPipe: workers push waves of updates to a server, and pull the others'.

    A pull adds the others' part and keeps what is in flight.  The server's weights are the first
    ones plus `part` of every pushed update: that of one worker among all for their mean, 1 for
    their sum.  A worker's own waves count in full until it pulls them back as its part.
    """

    def __init__(self, copies: Sequence[Learner], distance: int, size: int, part: float) -> None:
        super().__init__(copies)
        self.distance, self.size, self.part = distance, size, part
        self._first = copies[0].weights
        self._total: list[Any] = [0.0] * len(copies)
        self._waves: list[list[Any]] = [[] for _ in copies]
        self._pulled = [0] * len(copies)
        self._dropped = 0

    def after_update(self, worker: int, minibatch: int, step: Any) -> None:
        if len(self.copies) == 1:
            return  # nobody pulls
        self._total[worker] = self._total[worker] + step
        waves = self._waves[worker]
        if minibatch % self.size:
            waves[-1] = waves[-1] + step
        else:
            waves.append(step)

    def before_forward(self, worker: int, minibatch: int) -> None:
        wave, place = divmod(minibatch, self.size)
        visible = wave - self.distance
        if place != self.size - 1 or visible < 1 or len(self.copies) == 1:
            return
        weights = self.copies[worker].weights
        for number in range(self._pulled[worker], visible):
            for other, waves in enumerate(self._waves):
                weights = weights + waves[number] * (self.part - (other == worker))
        self._pulled[worker] = visible
        self.copies[worker].refresh(weights)
        for number in range(self._dropped, min(self._pulled)):  # every worker has them
            for waves in self._waves:
                waves[number] = None
        self._dropped = min(self._pulled)

    def share(self, worker: int) -> Any:
        """What a worker has learnt itself, (parameters,); of a single one all its weights."""
        return self.copies[0].weights if len(self.copies) == 1 else self._total[worker]

    def consensus(self, shares: Mapping[int, Any]) -> Any:
        """The server's weights (parameters,) once every worker has pushed all it did."""
        if len(self.copies) == 1:
            return shares[0]
        return self._first + self.part * sum(shares[worker] for worker in sorted(shares))


@combine("wave", rule="a wave is Nm mini-batches; the last forward of wave c waits for all "
                      "workers' waves up to c − D − 1 and adds the others' part: their updates' "
                      "mean, or sum",
         source="Park et al. 2020 (HetPipe), wave-synchronous parallel [recalled]; a pull brings "
                "exactly the waves it has to wait for [choice]; updates combine by their mean "
                "[choice: the paper may sum them]")
@dataclass(frozen=True)
class Wave(Combine):
    """HetPipe's wave-synchronous parallel as a `Combine`: how many waves workers may be ahead.

    `distance` is that clock distance D; a wave is Nm mini-batches: `pipeline.in_flight`, or the
    pipeline's depth.  Local staleness is at most Nm − 1, global staleness at most
    (D+1)·Nm + Nm − 2.  `combine` says what the server makes of the workers' updates: their mean,
    or their sum.  Raises ValueError.
    """

    holds = Op.F
    awaits = Op.U
    acts_alone = False
    distance: int = 0
    combine: Literal["mean", "sum"] = "mean"

    def __post_init__(self) -> None:
        if not 0 <= self.distance <= MOST_MINIBATCHES:
            raise ValueError(f"distance is 0 to {MOST_MINIBATCHES}, got {shown(self.distance)}")

    def waits(self, shape: PipelineShape) -> tuple[Ints, Ints]:
        size = wave_size(shape)
        waves = np.arange(1 + self.distance, -(-shape.of_worker.minibatches // size))
        holds, awaits = (waves + 1) * size - 1, (waves - self.distance) * size - 1
        inside = holds < shape.of_worker.minibatches
        return holds[inside], awaits[inside]

    def seconds(self, weight_bytes: Floats, link: Link, workers: int) -> Floats:
        """Seconds of a push and a pull of each stage's weights, (stages,), from their bytes."""
        return 2 * link.transfer_s(weight_bytes) if workers > 1 else 0.0 * weight_bytes

    def bytes_per_minibatch(self, weight_bytes: float, shape: PipelineShape) -> float:
        return 2 * weight_bytes / wave_size(shape) if shape.workers > 1 else 0.0

    def behind(self, minibatches: Ints, shape: PipelineShape) -> Ints:
        size = wave_size(shape)
        pulled = minibatches // size - self.distance - (minibatches % size != size - 1)
        behind: Ints = minibatches - np.maximum(pulled, 0) * size
        return behind

    def exchange(self, copies: Sequence[Learner], shape: PipelineShape) -> Exchange:
        part = 1.0 if self.combine == "sum" else 1 / len(copies)
        return ParameterServer(copies, self.distance, wave_size(shape), part)
