"""The copies of one stage on several workers, stepped as if they were one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sim.numerics.stage import Stage
from sim.order.shape import PipelineShape
from sim.workers import Exchange


class Copies:
    """Takes micro-batches and mini-batches of the whole run; each goes to the worker that has it.

    `weights` and `version` are those of the worker that updated last, `learnt` what all have
    learnt together.
    """

    def __init__(self, copies: Sequence[Stage], exchange: Exchange, shape: PipelineShape) -> None:
        self.copies, self.exchange = copies, exchange
        self._workers, self._per_minibatch = shape.workers, shape.microbatches
        self._latest = copies[0]

    @property
    def weights(self) -> Any:
        return self._latest.weights

    @property
    def version(self) -> int:
        return self._latest.version

    @property
    def learnt(self) -> Any:
        return self.exchange.consensus()

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
        """Of a mini-batch of the whole run, from 1."""
        own, worker = divmod(minibatch - 1, self._workers)
        self._latest = self.copies[worker]
        before = self._latest.weights
        self._latest.update(own + 1, self.exchange.gradient(worker, own))
        self.exchange.after_update(worker, own, self._latest.weights - before)

    def _place(self, index: int) -> tuple[int, int, int]:
        """Worker, its own mini-batch and the micro-batch within it."""
        whole, micro = divmod(index, self._per_minibatch)
        own, worker = divmod(whole, self._workers)
        return worker, own, micro
