"""How workers (copies of the whole pipeline) learn together: one file each.

A rule says which instructions of a worker wait for which of all workers, how long the exchange
takes once they are done, and what happens to gradients and weights then.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from sim.arrays import Floats, Ints
from sim.op import Op
from sim.order.shape import PipelineShape
from sim.registry import Registry
from sim.times.cluster import Link

MOST_MINIBATCHES = 10**9  # that a rule may count: as many as a configuration takes


class Learner(Protocol):
    """One stage of one worker, as an exchange sees it (`sim.numerics.stage.Stage` is one).

    `optimizer` is the one at work on this copy, with its state.
    """

    optimizer: Any

    @property
    def weights(self) -> Any:
        """The newest weights of this copy, shape (parameters,)."""

    def take_gradient(self, minibatch: int) -> Any:
        """The gradient (parameters,) of one of the worker's mini-batches (from 0), handed over."""

    def refresh(self, weights: Any) -> None:
        """Take new weights (parameters,), without an update of its own."""


class Exchange:
    """What the workers' copies of one stage give each other while they learn.

    Training calls it at the moments its methods name; every `minibatch` is the number of a
    worker's own one, from 0.  The default exchanges nothing: every worker learns alone.
    """

    def __init__(self, copies: Sequence[Learner]) -> None:
        self.copies = copies

    def before_forward(self, worker: int, minibatch: int) -> None:
        """What a worker takes over before the first forward of a mini-batch."""

    def gradient(self, worker: int, minibatch: int) -> Any:
        """The gradient a worker shall apply for a mini-batch, (parameters,); None: its own."""
        return None

    def after_update(self, worker: int, minibatch: int, step: Any) -> None:
        """What a worker gives once it has updated: `step` is its new weights minus the old."""

    def share(self, worker: int) -> Any:
        """What a worker has learnt up to its last update, for `consensus` to put together.

        What it learns later leaves a share as it is.
        """
        return self.copies[worker].weights

    def consensus(self, shares: Mapping[int, Any]) -> Any:
        """The weights that these shares make together, shape (parameters,).

        `shares` is by worker; one that has none has not updated yet.  Worker 0 has one, and any
        two workers are at most one update apart.  Nothing that is still learnt changes by it.
        """
        return shares[0]


@dataclass(frozen=True)
class Combine(ABC):
    """A rule by which workers learn together; subclasses are frozen dataclasses of its parameters.

    `holds` is the operation of a mini-batch that waits, `awaits` the one it waits for.
    `acts_alone` says whether the rule does something to what a single worker learns.  Every
    mini-batch here is the number of a worker's own one, from 0.
    """

    name: ClassVar[str]
    rule: ClassVar[str]
    source: ClassVar[str]
    holds: ClassVar[Op]
    awaits: ClassVar[Op]
    acts_alone: ClassVar[bool] = True

    @abstractmethod
    def waits(self, shape: PipelineShape) -> tuple[Ints, Ints]:
        """Mini-batches that wait, and the mini-batch of every worker each waits for: two (n,)."""

    @abstractmethod
    def seconds(self, weight_bytes: Floats, link: Link, workers: int) -> Floats:
        """Seconds from the last awaited instruction to the end of the exchange.

        `weight_bytes`, the bytes of each stage's weights, and the result are (stages,).
        """

    @abstractmethod
    def bytes_per_minibatch(self, weight_bytes: float, shape: PipelineShape) -> float:
        """Bytes on the links between workers for each mini-batch of any worker, on average.

        `weight_bytes` are those of the whole network.
        """

    @abstractmethod
    def behind(self, minibatches: Ints, shape: PipelineShape) -> Ints:
        """By how many mini-batches each forward is ahead of what it has seen of the others.

        `minibatches` and the result have shape (mini-batches,).
        """

    @abstractmethod
    def exchange(self, copies: Sequence[Learner], shape: PipelineShape) -> Exchange:
        """The exchange between the workers' copies of one stage."""


COMBINES: Registry[type[Combine]] = Registry("combine", "sim.workers")


def combine(name: str, *, rule: str, source: str) -> Callable[[type[Combine]], type[Combine]]:
    """Register the decorated `Combine` under `name`; its fields are its parameters."""

    def register(cls: type[Combine]) -> type[Combine]:
        cls.name, cls.rule, cls.source = name, rule, source
        return COMBINES.register(name, cls)

    return register


def ring_all_reduce_s(size_bytes: Floats, link: Link, workers: int | Ints) -> Floats:
    """Seconds to add arrays up over a ring of workers and give all the sum, (stages,).

    `size_bytes` has the bytes of the array on each stage, (stages,); `workers` is one number or one
    per stage.  R workers take 2(R−1) steps, each moving 1/R of the array over every link of the
    ring at once: R−1 that scatter the sum (a reduce-scatter) and R−1 that gather it again.
    Source: Patarasuk & Yuan 2009, bandwidth-optimal ring all-reduce.
    """
    return np.asarray(2 * (workers - 1) * link.transfer_s(size_bytes / workers))
