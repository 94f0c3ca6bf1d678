"""One stage with several homes in a worker: its copies, stepped through a program as one stage."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sim.arrays import Ints
from sim.numerics.distances import Measures
from sim.numerics.gradients import RoundSums
from sim.numerics.stage import LastUpdated, Stage
from sim.weights.versions import VersionPlan


class Homes(LastUpdated, ABC):
    """The copies of one stage: every pass and every update goes to the copy that does it.

    Training steps them as one stage, a `Learning`, but for `update`, which is told the copy.
    `stages` are the copies by their numbers in the program, ascending, and `of` is the number of
    the copy that does each micro-batch, (micro-batches,).
    """

    def __init__(self, stages: dict[int, Stage[Any]], of: Ints) -> None:
        self.stages, self._of = stages, of.tolist()
        self._latest = next(iter(stages.values()))

    @property
    def measures(self) -> Measures:
        """What was measured of the stage, whichever copy did it."""
        return Measures.together([stage.measures for stage in self.stages.values()],
                                 [[each == number for each in self._of] for number in self.stages])

    @property
    @abstractmethod
    def learnt(self) -> Any:
        """The weights (parameters,) that all copies have learnt together."""

    @abstractmethod
    def points(self, minibatch: int, every: int) -> Iterator[tuple[int, Any]]:
        """The points of a curve that the update just done completes, as `Learning` says."""

    def forward(self, index: int, inputs: Any, target: Any = None) -> Any:
        return self.stages[self._of[index]].forward(index, inputs, target)

    def backward(self, index: int, gradient: Any) -> Any:
        return self.stages[self._of[index]].backward(index, gradient)

    def update(self, minibatch: int, copy: int) -> None:
        """Apply on a copy what its update of a mini-batch applies."""
        self._latest = self.stages[copy]
        self._latest.update(minibatch, self._gradient(copy))

    @abstractmethod
    def _gradient(self, copy: int) -> Any:
        """What the next update of a copy applies, (parameters,)."""


class Combined(Homes):
    """Copies that apply one gradient together: the u-th update of each applies the u-th round.

    So all of them have the same weights at the same version.  `learnt_by` says how many
    mini-batches the stage has learnt from by the end of each round.  A point of a curve comes with
    the first round by which they are that many or more: a round of several mini-batches does not
    stop at each.
    """

    def __init__(self, stages: dict[int, Stage[Any]], of: Ints, sums: RoundSums,
                 learnt_by: Sequence[int]) -> None:
        super().__init__(stages, of)
        self._sums, self._learnt_by = sums, learnt_by
        self._done = 0  # mini-batches learnt from
        self._rounds = 0

    @property
    def learnt(self) -> Any:
        return max(self.stages.values(), key=lambda stage: stage.version).weights

    def points(self, minibatch: int, every: int) -> Iterator[tuple[int, Any]]:
        if self._latest.version <= self._rounds:
            return  # another copy was there before
        before, self._rounds = self._done, self._latest.version
        self._done = self._learnt_by[self._rounds - 1]
        for done in range(before - before % every + every, self._done + 1, every):
            yield done, self._latest.weights

    def _gradient(self, copy: int) -> Any:
        return self._sums.take(self.stages[copy].version)


class Apart(Homes):
    """Copies that learn alone, each from the micro-batches it does; judged by their mean weights.

    `minibatches` are those in which each copy does any, ascending.  A point of a curve has every
    copy's weights after as many updates as it has mini-batches up to there.
    """

    def __init__(self, stages: dict[int, Stage[Any]], of: Ints, sums: dict[int, RoundSums],
                 minibatches: dict[int, list[int]]) -> None:
        super().__init__(stages, of)
        self._sums, self._minibatches = sums, minibatches
        self._first = self._latest.weights
        self._whole = 1 + max(each[-1] for each in minibatches.values())
        self._points: dict[int, dict[int, Any]] = {}

    @property
    def learnt(self) -> Any:
        return mean_weights([stage.weights for stage in self.stages.values()])

    def points(self, minibatch: int, every: int) -> Iterator[tuple[int, Any]]:
        copy = next(number for number, stage in self.stages.items() if stage is self._latest)
        mine, version = self._minibatches[copy], self._latest.version
        first, last = mine[version - 1] + 1, [*mine, self._whole][version]
        for done in range(-(-first // every) * every, last + 1, every):
            shares = self._points.setdefault(done, {})
            shares[copy] = self._latest.weights
            if len(shares) == sum(each[0] < done for each in self._minibatches.values()):
                del self._points[done]
                yield done, mean_weights([shares.get(each, self._first) for each in self.stages])

    def _gradient(self, copy: int) -> Any:
        return self._sums[copy].take(self.stages[copy].version)


def mean_weights(weights: Sequence[Any]) -> Any:
    """The mean of the weights (parameters,) of copies, NumPy or torch."""
    return sum(weights[1:], weights[0]) / len(weights)


def round_sums(plan: VersionPlan, rule: str) -> dict[int, RoundSums]:
    """Where the gradients of each copy of a plan's program are added up, by the copy's number.

    Under the rule `all-reduce` the copies of a stage share one, under `apart` each has its own.
    """
    copies = plan.program.copies
    if rule == "apart":
        return {copy: rounds_alone(plan, copy) for copy in range(len(copies))}
    return {copy: sums for stage in range(plan.program.shape.stages)
            for sums in [rounds_together(plan, stage)] for copy in copies.of_stage(stage)}


def rounds_together(plan: VersionPlan, stage: int) -> RoundSums:
    """The sums of a stage whose copies apply their gradients together, round by round."""
    program, rounds = plan.program, plan.applied[stage]
    updates = [int(rounds[program.copies.does(copy)].max()) + 1
               for copy in program.copies.of_stage(stage)]
    takers = [sum(number < each for each in updates) for number in range(max(updates))]
    return RoundSums(rounds.tolist(), program.shape.microbatches, takers)


def rounds_alone(plan: VersionPlan, copy: int) -> RoundSums:
    """The sums of a copy that applies its own gradients alone."""
    copies = plan.program.copies
    rounds = np.where(copies.does(copy), plan.applied[copies.stage[copy]], -1)
    return RoundSums(rounds.tolist(), plan.program.shape.microbatches,
                     [1] * (int(rounds.max()) + 1))


def learnt_by(plan: VersionPlan, stage: int) -> list[int]:
    """How many whole mini-batches a stage has learnt from by the end of each round of updates."""
    n, rounds = plan.program.shape.microbatches, plan.applied[stage]
    last = np.maximum.reduceat(rounds, np.arange(0, len(rounds), n))
    found: list[int] = np.cumsum(np.bincount(last)).tolist()
    return found
