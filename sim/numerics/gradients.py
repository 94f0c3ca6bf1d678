"""Gradients of micro-batches, added up for the update of their mini-batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class _Sum:
    """The gradients of one mini-batch added in micro-batch order, whatever order they come in."""

    following: int
    partial: Any = None
    own: bool = False  # whether `partial` is an array of this sum alone
    waiting: dict[int, Any] = field(default_factory=dict)

    def add(self, index: int, gradient: Any) -> None:
        self.waiting[index] = gradient
        while self.following in self.waiting:
            next_one = self.waiting.pop(self.following)
            if self.partial is None:
                self.partial = next_one
            elif self.own:
                self.partial += next_one
            else:  # the first gradient may be an array of somebody else's
                self.partial, self.own = self.partial + next_one, True
            self.following += 1


class GradientSums:
    """The weight gradients of one stage, added up over the micro-batches of each mini-batch.

    A mini-batch is `microbatches` micro-batches.  They are added in micro-batch order, so that the
    sum has the same bits whatever order a schedule runs its backwards in.
    """

    def __init__(self, microbatches: int) -> None:
        self._microbatches = microbatches
        self._whole: dict[int, Any] = {}  # gradients of mini-batches that are not cut
        self._sums: dict[int, _Sum] = {}

    def add(self, index: int, gradient: Any) -> None:
        """Add the gradient (parameters,) of micro-batch `index` (from 0, over the whole run)."""
        if self._microbatches == 1:
            self._whole[index] = gradient
            return
        minibatch = index // self._microbatches
        if minibatch not in self._sums:
            self._sums[minibatch] = _Sum(minibatch * self._microbatches)
        self._sums[minibatch].add(index, gradient)

    def take(self, minibatch: int) -> Any:
        """The sum (parameters,) of a mini-batch (from 0), handed over: it is not kept."""
        if self._microbatches == 1:
            return self._whole.pop(minibatch)
        return self._sums.pop(minibatch).partial
