"""Tasks to train in virtual time: one file each, NumPy stage models on real or exact problems."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from sim.arrays import Floats
from sim.numerics.model import StageModel
from sim.order.shape import PipelineShape
from sim.registry import Registry


@dataclass(frozen=True)
class TaskOptions:
    """What the configuration says of the problem to learn; each task takes what it knows.

    `batch_size` counts the examples of a mini-batch, `width` the units of a hidden layer, `layers`
    the weight layers (None: as many as suit the stages); `curvatures` are the quadratic's λ.
    """

    batch_size: int = 32
    width: int = 64
    layers: int | None = None
    seed: int = 0
    curvatures: tuple[float, ...] = (1.0,)


@dataclass(frozen=True)
class Evaluation:
    """How good weights are: loss over the training set, loss and accuracy (0 to 1) over the
    validation split (None: the task has none)."""

    final_loss: float
    validation_loss: float | None = None
    accuracy: float | None = None


class Task(Protocol):
    """A problem cut into stages: models, first weights, data by micro-batch, a judgement.

    `models` and `weights`, each (parameters,), go by stage.
    """

    models: Sequence[StageModel]
    weights: Sequence[Floats]

    def inputs(self, micro_batch: int) -> Any:
        """What stage 0 gets of a micro-batch (from 0, counted over the whole run)."""

    def target(self, micro_batch: int) -> Any:
        """What the last stage compares its output with; None where the output is the loss."""

    def evaluate(self, weights: Sequence[Any]) -> Evaluation:
        """How good these weights are: one vector (parameters,) a stage."""


@dataclass(frozen=True)
class TaskEntry:
    """A registered task: its rule and source for `sim list`, and how to make it for a shape."""

    name: str
    rule: str
    source: str
    make: Callable[[PipelineShape, TaskOptions], Task]

    def parameters(self, shape: PipelineShape, options: TaskOptions) -> Sequence[int]:
        """Numbers in the weights of each stage, without making them.

        Empty where what makes the task has no `parameters` to say so, called as it is itself.
        """
        count = getattr(self.make, "parameters", None)
        return () if count is None else list(count(shape, options))


TASKS: Registry[TaskEntry] = Registry("task", "sim.numerics.tasks")


def task(name: str, *, rule: str, source: str) -> Callable[[Any], Any]:
    """Register the decorated class or function as the task `name`.

    It is called with a `PipelineShape` and `TaskOptions`, and gives a `Task`.
    """

    def register(make: Any) -> Any:
        TASKS.register(name, TaskEntry(name, rule, source, make))
        return make

    return register


def stream(seed: int, concern: str) -> np.random.Generator:
    """The random numbers of one concern (`weights`, `order`, `jitter`, `search`) under a seed.

    Each concern has a generator of its own, so that drawing more of one moves no other.
    """
    concerns = ("weights", "order", "jitter", "search")
    return np.random.default_rng(np.random.SeedSequence(seed).spawn(len(concerns))[
        concerns.index(concern)])
