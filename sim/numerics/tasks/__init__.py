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
    """What the configuration says of the problem to learn."""

    batch_size: int = 32
    width: int = 64
    layers: int | None = None
    seed: int = 0
    curvatures: tuple[float, ...] = (1.0,)


@dataclass(frozen=True)
class Evaluation:
    """Loss over the training set, loss and accuracy over the validation split (None: has none)."""

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
        """How good these weights are, one vector a stage."""


@dataclass(frozen=True)
class TaskEntry:
    """A named task and how to make it for a pipeline shape."""

    name: str
    rule: str
    source: str
    make: Callable[[PipelineShape, TaskOptions], Task]


TASKS: Registry[TaskEntry] = Registry("task", "sim.numerics.tasks")


def task(name: str, *, rule: str, source: str) -> Callable[[Any], Any]:
    """Register the decorated class or function, called with a shape and options."""

    def register(make: Any) -> Any:
        TASKS.register(name, TaskEntry(name, rule, source, make))
        return make

    return register


def stream(seed: int, concern: str) -> np.random.Generator:
    """A generator of its own for each concern, spawned from the one seed of the configuration."""
    concerns = ("weights", "order", "jitter", "search")
    return np.random.default_rng(np.random.SeedSequence(seed).spawn(len(concerns))[
        concerns.index(concern)])
