"""What a stage really read: versions counted by updates and read off the weights, not the plan.

A `Stage` takes its versions from a plan.  To check that plan, every weight vector is stamped with
the number of updates that made it, and what a pass computed from is read off the stamp.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gpu.model.stage_model import TorchStage
from sim.numerics.optimizers import Optimizer
from sim.numerics.rate import LearningRate
from sim.numerics.stage import Stage
from sim.op import Op
from sim.weights.versions import VersionPlan

STAMP = "made_by_update"


def version_of(weights: Any) -> int:
    """How many updates made these weights (parameters,), or those they were predicted from."""
    return int(getattr(weights, STAMP))


def stamp(weights: Any, version: int) -> Any:
    """Mark weights (parameters,) as made by so many updates, and give them back."""
    setattr(weights, STAMP, version)
    return weights


@dataclass
class Reading:
    """What one stage read, by the stamps: the observer of a `Stage` whose first weights have one.

    `read` is the version by (operation, micro-batch), `applied` that just before its update by
    mini-batch, both from 0.  A reused prediction counts as the version it was made from, an
    interpolation as the stale one.
    """

    read: dict[tuple[Op, int], int] = field(default_factory=dict)
    applied: dict[int, int] = field(default_factory=dict)

    def on_read(self, op: Op, index: int, read: Any, used: Any) -> None:
        """Note the version of `read`; weights made from it go by that version too."""
        self.read[op, index] = version_of(read)
        if not hasattr(used, STAMP):
            stamp(used, version_of(read))

    def on_update(self, minibatch: int, old: Any, new: Any) -> None:
        """Note what was updated; the new weights are one update on."""
        self.applied[minibatch] = version_of(old)
        stamp(new, version_of(old) + 1)


def watched_stage(number: int, model: TorchStage, optimizer: Optimizer, plan: VersionPlan,
                  rate: LearningRate, **options: Any) -> Stage[TorchStage]:
    """A `Stage` around a torch model, from its first weights, that a `Reading` observes."""
    return Stage(number, model, stamp(model.first_weights(), 0), optimizer, plan, rate,
                 backward="recompute" if model.recompute else "graph", observer=Reading(),
                 **options)


def reading_of(stage: Stage[TorchStage]) -> Reading:
    """What a watched stage has read so far.  Raises TypeError for one that nobody watches."""
    if not isinstance(stage.observer, Reading):
        raise TypeError(f"stage {stage.number} has no reading: make it with watched_stage")
    return stage.observer
