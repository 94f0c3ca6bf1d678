"""One stage: the staleness semantics around a model of its mathematics.

Both backends use this class: it owns the version store, the stash, the calls into the mitigation
and the weight distances.  `StageModel` is the mathematics alone, NumPy or torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from sim.arrays import Floats
from sim.mitigations import Look, Mitigation
from sim.numerics.inner import inner
from sim.numerics.optimizers import MomentumSGD
from sim.op import Op
from sim.weights.versions import VersionPlan

Backward = Literal["graph", "recompute"]
MEASURES = ("_forward_squares", "_backward_squares", "_fresh_squares", "_velocity_squares")


class StageModel(Protocol):
    """The mathematics of one stage on a flat weight vector."""

    def forward(self, weights: Any, inputs: Any, target: Any = None) -> tuple[Any, Any]:
        """Output (with a target: the mean loss) and what the backward needs of this forward."""

    def backward(self, weights: Any, saved: Any, gradient: Any) -> tuple[Any, Any]:
        """Weight gradient, and input gradient formed with `weights` (None: nobody wants it)."""


@dataclass(slots=True)
class _Sum:
    """Gradients of one mini-batch added in micro-batch order, whatever order they come in."""

    following: int
    partial: Any = None
    waiting: dict[int, Any] = field(default_factory=dict)

    def add(self, index: int, gradient: Any) -> None:
        self.waiting[index] = gradient
        while self.following in self.waiting:
            next_one = self.waiting.pop(self.following)
            self.partial = next_one if self.partial is None else self.partial + next_one
            self.following += 1


class Distance(NamedTuple):
    """How far the weights a pass used were from the fresh ones: RMSE, and relative to them."""

    rmse: float
    relative: float


class Stage:
    """Stage `number` of a program: give it forwards, backwards and updates in program order.

    Versions come from the plan and are checked against the stage's own count.  `backward` is
    `graph` (the forward's activations, the backward's weights in the input-gradient products) or
    `recompute` (run again from the saved input under the backward's weights).
    Measures are kept as squares, in the arrays' own scalars: a root is taken once, at the end, and
    a device is never waited for.
    Source: REFERENCE section 3.
    """

    def __init__(
        self,
        number: int,
        model: StageModel,
        weights: Any,
        optimizer: MomentumSGD,
        plan: VersionPlan,
        learning_rate: Callable[[int], Any],
        *,
        backward: Backward = "graph",
        distances: bool = True,
        unit_horizons: tuple[int, int] | None = None,
    ) -> None:
        self.number, self.model, self.optimizer = number, model, optimizer
        self.weights, self.version = weights, 0
        self.mitigation: Mitigation = plan.mitigation
        self.learning_rate, self.recompute = learning_rate, backward == "recompute"
        self._per_minibatch = plan.program.shape.microbatches
        self._reads = {Op.F: plan.forward[number].tolist(), Op.B: plan.backward[number].tolist()}
        self._horizons = {Op.F: plan.forward_horizon[number].tolist(),
                          Op.B: plan.backward_horizon[number].tolist()}
        self._units = dict(zip((Op.F, Op.B), unit_horizons or (None, None), strict=True))
        self._readers = plan.readers_of(number).tolist()
        self._applied = plan.applied[number].tolist()
        self._versions: dict[int, Any] = {0: weights}
        self._pending: dict[int, tuple[Any, Any]] = {}
        self._keeps_forward = plan.mitigation.keeps_forward
        self._outlived: dict[int, Any] = {}
        self._sums: dict[int, _Sum] = {}
        self._whole: dict[int, Any] = {}  # gradients of mini-batches that are not cut
        self._stashes_versions = plan.mitigation.stash == "version"
        kind = type(plan.mitigation)
        self._plain = {Op.F: kind.forward_weights is Mitigation.forward_weights,
                       Op.B: kind.backward_weights is Mitigation.backward_weights}
        self._plain_gradient = kind.gradient is Mitigation.gradient
        self.measured = distances
        # else the forward's weights would stay alive until its backward for nobody's sake
        self._keeps_used = distances or plan.mitigation.stash == "prediction"
        self._used: dict[int, tuple[Any, Any]] = {}
        shape = plan.program.shape
        self._forward_squares: list[Any] = [math.nan] * shape.total
        self._backward_squares: list[Any] = [math.nan] * shape.total
        self._fresh_squares: list[Any] = [math.nan] * shape.minibatches
        self._velocity_squares: list[Any] = []

    @property
    def versions_held(self) -> int:
        """Weight sets in the store now."""
        return len(self._versions)

    @property
    def update_rmse_sum(self) -> float:
        """RMSE of every update so far, added up."""
        size = self.weights.shape[-1]
        return float(sum(self.learning_rate(version) * math.sqrt(float(squared) / size)
                         for version, squared in enumerate(self._velocity_squares)))

    def distances(self, op: Op) -> tuple[Floats, Floats]:
        """RMSE and relative distance of the forwards or backwards by micro-batch (NaN: unknown)."""
        squares = self._forward_squares if op is Op.F else self._backward_squares
        fresh = np.repeat(_floats(self._fresh_squares), self._per_minibatch)
        return _distances(_floats(squares), fresh, self.weights.shape[-1])

    def forward(self, index: int, inputs: Any, target: Any = None) -> Any:
        """The forward of one micro-batch; returns what the next stage gets, or the mean loss."""
        weights = self.weights_for(Op.F, index)
        output, saved = self.model.forward(weights, inputs, target)
        self.keep(index, weights, (inputs, target) if self.recompute else saved)
        return output

    def keep(self, index: int, weights: Any, saved: Any) -> None:
        """Remember a forward for its backward: what it used, and what the model saved."""
        self._pending[index] = weights if self._keeps_used else None, saved
        self._release(self._reads[Op.F][index])

    def backward(self, index: int, gradient: Any) -> Any:
        """The backward of one micro-batch; returns the gradient of its input."""
        weights, saved = self.weights_for(Op.B, index), self._pending[index][1]
        if self.recompute:
            _, saved = self.model.forward(weights, *saved)
        own, passed_on = self.model.backward(weights, saved, gradient)
        self.collect(index, weights, own)
        return passed_on

    def collect(self, index: int, weights: Any, own: Any) -> None:
        """Forget the forward, and add `own`, the weight gradient, to its mini-batch's."""
        used, _ = self._pending.pop(index)
        if self._per_minibatch == 1:
            self._whole[index] = own
        else:
            minibatch = index // self._per_minibatch
            if minibatch not in self._sums:
                self._sums[minibatch] = _Sum(minibatch * self._per_minibatch)
            self._sums[minibatch].add(index, own)
        if self._stashes_versions:
            self._release(self._reads[Op.B][index])
        if self.measured:
            self._used[index] = used, weights

    def take_gradient(self, minibatch: int) -> Any:
        """The gradient of `minibatch` (from 1) handed over, to be applied by `update`."""
        if self._per_minibatch == 1:
            return self._whole.pop(minibatch - 1)
        return self._sums.pop(minibatch - 1).partial

    def refresh(self, weights: Any) -> None:
        """New weights under the same version, without an update: what other workers have learnt.

        A backward that reads its forward's version still finds the weights that forward used.
        """
        if self._keeps_forward:
            for index in self._pending:
                if self._reads[Op.B][index] == self.version:
                    self._outlived.setdefault(index, self.weights)
        self.weights = self._versions[self.version] = weights

    @property
    def learnt(self) -> Any:
        """The weights to judge this stage by."""
        return self.weights

    def update(self, minibatch: int, gradient: Any = None) -> None:
        """Apply the gradient of `minibatch` (from 1), or one given; the version grows by one."""
        if gradient is None:
            gradient = self.take_gradient(minibatch)
        first = (minibatch - 1) * self._per_minibatch
        if self._applied[first] != self.version:
            raise RuntimeError(f"stage {self.number} applies mini-batch {minibatch} at version "
                               f"{self.version}, the program says {self._applied[first]}")
        if not self._plain_gradient:
            look = self._look(Op.B, first, self.weights, None)
            gradient = self.mitigation.gradient(gradient, look)
        fresh = self.weights
        self.weights = self.optimizer.step(fresh, gradient, self.learning_rate(self.version))
        velocity = self.optimizer.velocity
        self._velocity_squares.append(inner(velocity, velocity))
        if self.measured:
            self._measure(minibatch, first, fresh)
        old, self.version = self.version, self.version + 1
        self._versions[self.version] = self.weights
        if not self._readers[old]:
            del self._versions[old]

    def weights_for(self, op: Op, index: int) -> Any:
        """What a pass of one micro-batch computes with."""
        base = self._versions[self._reads[op][index]] if (
            self._stashes_versions or op is Op.F) else self.weights
        if self._outlived and op is Op.B:
            base = self._outlived.pop(index, base)
        if self._plain[op]:
            return base
        if op is Op.F:
            return self.mitigation.forward_weights(self._look(op, index, base, None))
        return self.mitigation.backward_weights(
            self._look(op, index, base, self._pending[index][0]))

    def _look(self, op: Op, index: int, weights: Any, used: Any) -> Look:
        return Look(weights, self.weights, used, self.optimizer.velocity,
                    self.learning_rate(self.version), self.optimizer.momentum,
                    self._horizons[op][index], self._units[op],
                    self.version - self._reads[op][index])

    def _release(self, version: int) -> None:
        """One reader less; a version neither newest nor still to be read is dropped."""
        self._readers[version] -= 1
        if not self._readers[version] and version != self.version:
            del self._versions[version]

    def _measure(self, minibatch: int, first: int, fresh: Any) -> None:
        """Compare what its passes used with `fresh`, the weights just before its update."""
        self._fresh_squares[minibatch - 1] = inner(fresh, fresh)
        for index in range(first, first + self._per_minibatch):
            forward, backward = self._used.pop(index)
            squared = squared_distance(forward, fresh)
            self._forward_squares[index] = squared
            if backward is not forward:
                squared = squared_distance(backward, fresh)
            self._backward_squares[index] = squared


def distance(used: Any, fresh: Any) -> Distance:
    """RMSE and relative distance of two flat weight vectors.  Source: REFERENCE section 1."""
    rmse, relative = _distances(_floats([squared_distance(used, fresh)]),
                                _floats([fresh.dot(fresh)]), len(fresh))
    return Distance(float(rmse[0]), float(relative[0]))


def squared_distance(used: Any, fresh: Any) -> Any:
    """‖used − fresh‖²."""
    if used is fresh:
        return 0.0
    difference = used - fresh
    return inner(difference, difference)


def _distances(squared: Floats, fresh: Floats, size: int) -> tuple[Floats, Floats]:
    """RMSE and relative distance of `size` weights from ‖used − fresh‖² and ‖fresh‖²."""
    with np.errstate(all="ignore"):
        relative = np.where(squared == 0, 0.0, np.sqrt(squared / fresh))
        return np.sqrt(squared / size), relative


def _floats(scalars: Sequence[Any]) -> Floats:
    return np.fromiter(map(float, scalars), np.float64, len(scalars))
