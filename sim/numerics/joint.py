"""One stage of several replicas at once: one pass of the model for all of them."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from sim.arrays import Floats
from sim.numerics.optimizers import LearningRate
from sim.numerics.stage import MEASURES, Stage
from sim.op import Op


class RateTable:
    """The learning rates of replicas by update index, as a column (replicas, 1)."""

    def __init__(self, rates: Sequence[LearningRate], updates: int) -> None:
        self._rates = np.array([[rate(update) for rate in rates]
                                for update in range(updates + 1)])[..., None]

    def __call__(self, update: int) -> Floats:
        column: Floats = self._rates[update]
        return column


class JointStage:
    """Stages of replicas that share a program: each member those under one mitigation.

    Members keep versions, stash, gradients and updates of their own replicas, in arrays
    (replicas, parameters); the mathematics runs once over the replicas of all members, in their
    order.  Steps like a `Stage`.
    """

    def __init__(self, members: Sequence[Stage]) -> None:
        self.members, self.model = members, members[0].model
        self.recompute = members[0].recompute
        ends = np.cumsum([0, *(len(member.weights) for member in members)]).tolist()
        self._rows = [slice(*pair) for pair in itertools.pairwise(ends)]
        self._saved: dict[int, Any] = {}

    @property
    def weights(self) -> Floats:
        """The newest weights, shape (replicas, parameters)."""
        return _joined([member.weights for member in self.members])

    @property
    def learnt(self) -> Floats:
        """The weights to judge the replicas by."""
        return self.weights

    @property
    def version(self) -> int:
        return self.members[0].version

    def forward(self, index: int, inputs: Any, target: Any = None) -> Any:
        """The forward of one micro-batch of every replica."""
        used = [member.weights_for(Op.F, index) for member in self.members]
        output, saved = self.model.forward(_joined(used), inputs, target)
        self._saved[index] = (inputs, target) if self.recompute else saved
        for member, weights in zip(self.members, used, strict=True):
            member.keep(index, weights, None)
        return output

    def backward(self, index: int, gradient: Any) -> Any:
        """The backward of one micro-batch of every replica; the gradients of the inputs."""
        used = [member.weights_for(Op.B, index) for member in self.members]
        together, saved = _joined(used), self._saved.pop(index)
        if self.recompute:
            _, saved = self.model.forward(together, *saved)
        own, passed_on = self.model.backward(together, saved, gradient)
        for member, weights, rows in zip(self.members, used, self._rows, strict=True):
            member.collect(index, weights, own[rows])
        return passed_on

    def update(self, minibatch: int) -> None:
        """Apply the gradients of `minibatch` (from 1) of every replica."""
        for member in self.members:
            member.update(minibatch)

    def apart(self, rates: Sequence[LearningRate]) -> list[Stage]:
        """When all is done, a stage per replica with what was measured of it."""
        return [alone for member, rows in zip(self.members, self._rows, strict=True)
                for alone in _apart(member, rates[rows])]


def _joined(parts: Sequence[Floats]) -> Floats:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _apart(member: Stage, rates: Sequence[LearningRate]) -> list[Stage]:
    count = len(rates)
    measured = {name: _by_replica(getattr(member, name), count) for name in MEASURES}
    stages = []
    for row, rate in enumerate(rates):
        alone = copy.copy(member)
        alone.weights, alone.learning_rate = member.weights[row], rate
        for name, values in measured.items():
            setattr(alone, name, values[row])
        stages.append(alone)
    return stages


def _by_replica(values: Sequence[Any], count: int) -> Floats:
    """What was measured step by step, (replicas, steps); a number is the same for all."""
    rows = [value if isinstance(value, np.ndarray) else np.full(count, value) for value in values]
    return np.array(rows).reshape(len(rows), count).T
