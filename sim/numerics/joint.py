"""One stage of several replicas at once: one pass of the model for all of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sim.arrays import Floats
from sim.numerics.distances import Measures
from sim.numerics.stage import Stage
from sim.op import Op


class JointStage:
    """One stage of several replicas that share a program, stepped as if it were one `Stage`.

    A member is the stage of all replicas under one mitigation: it keeps their versions, stash,
    gradients and updates, in arrays (replicas, parameters).  The mathematics runs once over the
    replicas of all members, in their order.
    """

    def __init__(self, members: Sequence[Stage[Any]]) -> None:
        self.members, self.passes = members, members[0].passes
        ends = np.cumsum([0, *(len(member.weights) for member in members)]).tolist()
        self._rows = [slice(*pair) for pair in itertools.pairwise(ends)]

    @property
    def weights(self) -> Floats:
        """The newest weights, shape (replicas, parameters)."""
        return _joined([member.weights for member in self.members])

    @property
    def learnt(self) -> Floats:
        """The weights to judge the replicas by, shape (replicas, parameters)."""
        return self.weights

    @property
    def version(self) -> int:
        """Updates every replica has done."""
        return self.members[0].version

    def points(self, minibatch: int, every: int) -> Iterator[tuple[int, Floats]]:
        """The point of a curve that an update completes: mini-batches done, and the weights
        (replicas, parameters) they made."""
        if self.version % every == 0:
            yield self.version, self.weights

    @property
    def measures_by_replica(self) -> list[Measures]:
        """What was measured of this stage in each replica."""
        return [own for member in self.members
                for own in member.measures.split(len(member.weights))]

    def forward(self, index: int, inputs: Any, target: Any = None) -> Any:
        """The forward of one micro-batch of every replica: outputs, or mean losses (replicas,)."""
        used = [member.weights_for(Op.F, index) for member in self.members]
        output = self.passes.forward(index, _joined(used), inputs, target)
        for member, weights in zip(self.members, used, strict=True):
            member.keep(index, weights)
        return output

    def backward(self, index: int, gradient: Any) -> Any:
        """The backward of one micro-batch of every replica; the gradients of the inputs."""
        used = [member.weights_for(Op.B, index) for member in self.members]
        own, passed_on = self.passes.backward(index, _joined(used), gradient)
        for member, weights, rows in zip(self.members, used, self._rows, strict=True):
            member.collect(index, weights, own[rows])
        return passed_on

    def update(self, minibatch: int) -> None:
        """Apply the gradients of a mini-batch (from 0) of every replica."""
        for member in self.members:
            member.update(minibatch)


def _joined(parts: Sequence[Floats]) -> Floats:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
