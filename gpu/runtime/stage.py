"""A stage that reports what it read: versions counted by updates, not by the plan.

The simulator's stage takes its versions from a plan.  To check that plan, every weight vector is
stamped with the number of updates that made it, and what a pass really computed from is read off
the stamp.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from gpu.model.stage_model import TorchStage
from sim.mitigations import Look, Mitigation, Reads, Setting
from sim.numerics.optimizers import LearningRate, Optimizer
from sim.numerics.stage import Stage
from sim.op import Op
from sim.weights.versions import VersionPlan

STAMP = "made_by_update"


@dataclass
class Reading:
    """What one stage read: version by (operation, micro-batch), applied by mini-batch from 1."""

    read: dict[tuple[Op, int], int] = field(default_factory=dict)
    applied: dict[int, int] = field(default_factory=dict)
    current: int = 0  # version of the pass under way


def version_of(weights: Any) -> int:
    """Updates that made these weights, or those they were predicted from."""
    return int(getattr(weights, STAMP))


def stamp(weights: Any, version: int) -> Any:
    setattr(weights, STAMP, version)
    return weights


class Counted:
    """An optimizer whose new weights carry their version."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer, self.momentum = optimizer, optimizer.momentum

    @property
    def velocity(self) -> Any:
        return self.optimizer.velocity

    def step(self, weights: Any, gradient: Any, learning_rate: float) -> Any:
        new = self.optimizer.step(weights, gradient, learning_rate)
        return stamp(new, version_of(weights) + 1)


@dataclass(frozen=True)
class Observed(Mitigation):
    """A mitigation that notes the version of the weights it starts from, and else changes none.

    A reused prediction counts as the version it was made from, an interpolation as the stale one.
    """

    inner: Mitigation
    reading: Reading

    def __post_init__(self) -> None:
        object.__setattr__(self, "stash", self.inner.stash)

    def check(self, setting: Setting) -> None:
        self.inner.check(setting)

    def forward_version(self, reads: Reads) -> Any:
        return self.inner.forward_version(reads)

    def backward_version(self, reads: Reads) -> Any:
        return self.inner.backward_version(reads)

    @property
    def keeps_forward(self) -> bool:
        return self.inner.keeps_forward

    def forward_weights(self, look: Look) -> Any:
        return self._note(look, self.inner.forward_weights(look))

    def backward_weights(self, look: Look) -> Any:
        return self._note(look, self.inner.backward_weights(look))

    def _note(self, look: Look, result: Any) -> Any:
        base = version_of(look.used if result is look.used else look.weights)
        self.reading.current = base
        return result if hasattr(result, STAMP) else stamp(result, base)

    def steps_ahead(self, horizon: Any, unit_horizon: int | None) -> Any:
        return self.inner.steps_ahead(horizon, unit_horizon)

    def gradient(self, gradient: Any, look: Look) -> Any:
        return self.inner.gradient(gradient, look)

    def effective_staleness(self, gap: Any) -> Any:
        return self.inner.effective_staleness(gap)


class WatchedStage(Stage):
    """A stage around a TorchStage, with `reading` filled as it goes."""

    model: TorchStage

    def __init__(self, number: int, model: TorchStage, optimizer: Optimizer, plan: VersionPlan,
                 rate: LearningRate, **options: Any) -> None:
        self.reading = Reading()
        watched = replace(plan, mitigation=Observed(plan.mitigation, self.reading))
        counted: Any = Counted(optimizer)
        super().__init__(number, model, stamp(model.first_weights(), 0), counted, watched, rate,
                         backward="recompute" if model.recompute else "graph", **options)

    def forward(self, index: int, inputs: Any, target: Any = None) -> Any:
        output = super().forward(index, inputs, target)
        self.reading.read[Op.F, index] = self.reading.current
        return output

    def backward(self, index: int, gradient: Any) -> Any:
        """A forward inside a backward is a recompute."""
        with self.model.again():
            passed_on = super().backward(index, gradient)
        self.reading.read[Op.B, index] = self.reading.current
        return passed_on

    def update(self, minibatch: int, gradient: Any = None) -> None:
        self.reading.applied[minibatch] = version_of(self.weights)
        super().update(minibatch, gradient)
