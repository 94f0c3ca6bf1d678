"""How many arrays of a weight vector's size a stage holds: the stage itself, stepped on stand-ins.

Versions, predictions, interpolations, gradient sums and what an optimizer keeps all come and go by
the bookkeeping of `sim.numerics.stage.Stage`, under any mitigation.  So nobody models it again: the
very `Stage` is stepped with weights of a single number, and its arrays are counted while they live.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.experiment.making import make_optimizer
from sim.numerics.model import StageModel
from sim.numerics.optimizers import Optimizer
from sim.numerics.stage import Stage
from sim.weights.versions import VersionPlan


@dataclass
class Count:
    """How many stand-ins live: of weight vectors, and of numbers kept on the device (0-d)."""

    vectors: int = 0
    scalars: int = 0


class StandIn(np.ndarray):
    """An array of one number in the place of a weight vector; what is made from it is one too."""

    count: Count | None = None

    @classmethod
    def new(cls, count: Count, shape: tuple[int, ...] = (1,)) -> StandIn:
        """One that is made from no other; without an axis it is a number."""
        made = np.zeros(shape).view(cls)
        made.count = count
        made._change(1)
        return made

    def __array_finalize__(self, source: Any) -> None:
        self.count = getattr(source, "count", None)
        if self.count is not None:
            self._change(1)

    def __del__(self) -> None:
        if self.count is not None:
            self._change(-1)

    def _change(self, by: int) -> None:
        assert self.count is not None
        if self.ndim:
            self.count.vectors += by
        else:
            self.count.scalars += by

    def dot(self, *_: Any) -> StandIn:  # type: ignore[override]
        """An inner product is a number that stays on the device, as torch's does."""
        assert self.count is not None
        return StandIn.new(self.count, ())


class _Model(StageModel):
    """The mathematics of a stage, reduced to what it leaves behind: a gradient of its weights."""

    def __init__(self, count: Count) -> None:
        self.count = count

    def forward(self, weights: Any, inputs: Any, target: Any = None) -> tuple[None, None]:
        return None, None

    def backward(self, weights: Any, saved: Any, gradient: Any) -> tuple[StandIn, None]:
        return StandIn.new(self.count), None

    def backward_input(self, weights: Any, saved: Any, gradient: Any) -> tuple[None, None]:
        """The weight gradient is formed in the other half."""
        return None, None

    def backward_weight(self, left: None) -> StandIn:
        """A gradient of the weights."""
        return StandIn.new(self.count)


class WeightSets:
    """The weight sets of one stage as its passes and updates go by, in program order.

    `training` and `pipeline` are those tables of the experiment.  `standing` is how many of the
    optimizer's are there all the time, once it has stepped.
    """

    def __init__(self, k: int, plan: VersionPlan, training: Mapping[str, Any],
                 pipeline: Mapping[str, Any]) -> None:
        self.count, spare = Count(), Count()
        self.stage: Stage[_Model] = Stage(
            k, _Model(self.count), StandIn.new(self.count), _optimizer(training, self.count), plan,
            _rate, backward=pipeline["backward"], distances=training["distances"],
            unit_horizons=plan.unit_horizons(k))
        stepped = _optimizer(training, spare)
        with _silent():
            stepped.step(StandIn.new(spare), StandIn.new(spare), _rate(0))
        self.standing = spare.vectors

    def forward(self, index: int) -> None:
        """The forward of micro-batch `index` (from 0) has run."""
        with _silent():
            self.stage.forward(index, None)

    def backward(self, index: int) -> None:
        """The backward of micro-batch `index` has run, both halves of it."""
        with _silent():
            self.stage.backward(index, None)

    def input_half(self, index: int) -> None:
        """The input half of the backward of micro-batch `index` has run."""
        with _silent():
            self.stage.backward_input(index, None)

    def weight_half(self, index: int) -> None:
        """The weight half of the backward of micro-batch `index` has run."""
        with _silent():
            self.stage.backward_weight(index)

    def update(self, minibatch: int) -> None:
        """The update of a mini-batch (from 0) has run."""
        with _silent():
            self.stage.update(minibatch)


def _optimizer(training: Mapping[str, Any], count: Count) -> Optimizer:
    kind = make_optimizer(training["optimizer"])
    return kind.start(training["momentum"], training["convention"], StandIn.new(count))


def _rate(_: int) -> float:
    return 0.5


@contextmanager
def _silent() -> Iterator[None]:
    """Stand-ins overflow and divide by nothing, which means nothing."""
    with np.errstate(all="ignore"):
        yield
