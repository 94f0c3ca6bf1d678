"""Gradients of micro-batches, added up for the update that applies them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class _Sum:
    """The gradients of one update added in micro-batch order, whatever order they come in.

    `following` is the micro-batch whose turn it is (None: all are there), `later` those after it.
    """

    following: int | None
    later: Iterator[int]
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
            self.following = next(self.later, None)


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
            those = itertools.count(minibatch * self._microbatches)
            self._sums[minibatch] = _Sum(next(those), those)
        self._sums[minibatch].add(index, gradient)

    def take(self, minibatch: int) -> Any:
        """The sum (parameters,) of a mini-batch (from 0), handed over: it is not kept."""
        if self._microbatches == 1:
            return self._whole.pop(minibatch)
        return self._sums.pop(minibatch).partial


class RoundSums:
    """The weight gradients that several copies of a stage, or one, apply together, by round.

    `rounds` is the round (from 0) of each micro-batch, −1 of those that are not summed here,
    `microbatches` how many make a mini-batch, and `takers` how many copies apply each round.  A
    round is the sum of its micro-batches' gradients in their order, divided by the number of
    mini-batches among them: the mean of their gradients.
    """

    def __init__(self, rounds: Sequence[int], microbatches: int, takers: Sequence[int]) -> None:
        self._rounds = rounds
        self._left = list(takers)
        members: list[list[int]] = [[] for _ in takers]
        for index, number in enumerate(rounds):
            if number >= 0:
                members[number].append(index)
        self._minibatches = [len({index // microbatches for index in each}) for each in members]
        self._members = [iter(each) for each in members]
        self._sums: dict[int, _Sum] = {}
        self._whole: dict[int, Any] = {}

    def add(self, index: int, gradient: Any) -> None:
        """Add the gradient (parameters,) of micro-batch `index` (from 0, over the whole run)."""
        number = self._rounds[index]
        if number not in self._sums:
            those = self._members[number]
            self._sums[number] = _Sum(next(those), those)
        self._sums[number].add(index, gradient)

    def complete(self, number: int) -> bool:
        """Whether all gradients of a round (from 0) are there."""
        if number in self._whole:
            return True
        found = self._sums.get(number)
        return found is not None and found.following is None

    def take(self, number: int) -> Any:
        """The mean gradient (parameters,) of a round (from 0), kept until its last taker has it.

        Raises RuntimeError where gradients are missing: then an update came too early.
        """
        if number not in self._whole:
            if not self.complete(number):
                raise RuntimeError(f"round {number + 1} of updates begins before all its "
                                   "gradients are there")
            whole, share = self._sums.pop(number).partial, self._minibatches[number]
            self._whole[number] = whole / share if share > 1 else whole
        self._left[number] -= 1
        return self._whole[number] if self._left[number] else self._whole.pop(number)
