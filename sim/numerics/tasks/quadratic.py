"""The quadratic: every stage owns a block of it and learns under exactly its own delay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sim.arrays import Floats
from sim.numerics.distances import inner_product
from sim.numerics.model import StageModel
from sim.numerics.tasks import Evaluation, TaskOptions, task
from sim.order.shape import PipelineShape


class QuadraticStage(StageModel):
    """A stage that adds ½·Σ λ·w² of its own weights (…, parameters) to the loss it is handed.

    Its gradient is λ·(weights the forward used) under `graph`, since the forward's weights are
    the saved activation, and λ·(weights the backward used) under `recompute`.  Leading axes are
    replicas side by side.
    """

    def __init__(self, curvatures: Floats) -> None:
        self.curvatures = curvatures

    def forward(self, weights: Floats, inputs: Any, target: Any = None) -> tuple[Any, Floats]:
        """The loss with this stage's share of it, shape (…,), and the weights (…, parameters)."""
        return inputs + 0.5 * inner_product(weights * weights, self.curvatures), weights

    def backward(self, weights: Floats, saved: Floats, gradient: float) -> tuple[Floats, float]:
        """The gradient of the weights, shape (…, parameters), and that of the loss handed in."""
        return gradient * self.curvatures * saved, gradient


@task("quadratic", rule="half the sum of curvature * weight^2; every stage owns a block of it",
      source="standard model of delayed gradient descent (PipeMare, Lemma 1)")
class Quadratic:
    """The quadratic as a `Task`: weights start at 1, every stage has all `curvatures` λ."""

    def __init__(self, shape: PipelineShape, options: TaskOptions) -> None:
        curvatures = np.array(options.curvatures, dtype=np.float64)
        self.models = [QuadraticStage(curvatures) for _ in range(shape.stages)]
        self.weights = [np.ones(len(curvatures)) for _ in range(shape.stages)]

    @staticmethod
    def parameters(shape: PipelineShape, options: TaskOptions) -> list[int]:
        """Numbers in the weights of each stage, without making them."""
        return [len(options.curvatures)] * shape.stages

    def inputs(self, micro_batch: int) -> float:
        """The loss before the first stage: none."""
        return 0.0

    def target(self, micro_batch: int) -> None:
        """None: the output of the last stage is the loss."""
        return None

    def evaluate(self, weights: Sequence[Floats]) -> Evaluation:
        """The loss at these weights, (parameters,) a stage; there is no data to validate on."""
        losses = [model.forward(w, 0.0)[0]
                  for model, w in zip(self.models, weights, strict=True)]
        return Evaluation(float(sum(losses)))
