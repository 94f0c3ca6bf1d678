"""One stage's copies on several workers, stepped through the program of the whole run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sim.numerics.stage import LastUpdated, Stage
from sim.order.shape import PipelineShape
from sim.workers import Exchange


class Copies(LastUpdated):
    """The copies of one stage: each pass and update goes to the worker whose mini-batch it is.

    Training steps them as one stage, a `Learning`.  Micro-batches and mini-batches are counted
    over the whole run here, from 0; mini-batch i is number i // workers of worker i % workers.
    """

    def __init__(self, copies: Sequence[Stage[Any]], exchange: Exchange, shape: PipelineShape
                 ) -> None:
        self.copies, self.exchange = copies, exchange
        self._workers, self._per_minibatch = shape.workers, shape.microbatches
        self._latest = copies[0]
        self._points: dict[int, dict[int, Any]] = {}  # by mini-batches done: the workers' shares

    @property
    def learnt(self) -> Any:
        """The weights (parameters,) all workers have learnt together."""
        return self.exchange.consensus({worker: self.exchange.share(worker)
                                        for worker in range(self._workers)})

    def forward(self, index: int, inputs: Any, target: Any = None) -> Any:
        worker, minibatch, micro = self._place(index)
        if not micro:
            self.exchange.before_forward(worker, minibatch)
        own = minibatch * self._per_minibatch + micro
        return self.copies[worker].forward(own, inputs, target)

    def backward(self, index: int, gradient: Any) -> Any:
        worker, minibatch, micro = self._place(index)
        return self.copies[worker].backward(minibatch * self._per_minibatch + micro, gradient)

    def update(self, minibatch: int) -> None:
        """Apply the gradient of a mini-batch on the worker that has it."""
        own, worker = divmod(minibatch, self._workers)
        self._latest = self.copies[worker]
        before = self._latest.weights
        self._latest.update(own, self.exchange.gradient(worker, own))
        self.exchange.after_update(worker, own, self._latest.weights - before)

    def points(self, minibatch: int, every: int) -> Iterator[tuple[int, Any]]:
        """The points of a curve that an update completes, each with what the workers have learnt
        together there: a worker may be ahead of a point that another has yet to reach.

        The worker that has just updated stands where it does until its next mini-batch, the
        number of workers later.
        """
        first = -(-(minibatch + 1) // every) * every
        for done in range(first, minibatch + self._workers + 1, every):
            shares = self._points.setdefault(done, {})
            worker = minibatch % self._workers
            shares[worker] = self.exchange.share(worker)
            if len(shares) == min(done, self._workers):
                yield done, self.exchange.consensus(self._points.pop(done))

    def _place(self, index: int) -> tuple[int, int, int]:
        """Worker, its own mini-batch and the micro-batch within it."""
        whole, micro = divmod(index, self._per_minibatch)
        own, worker = divmod(whole, self._workers)
        return worker, own, micro
