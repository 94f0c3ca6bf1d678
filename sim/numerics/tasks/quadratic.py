"""The quadratic: every stage owns a block of it, so stage k meets exactly its own delay."""

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
    """Adds ½·Σ λ·w² of its own block to the loss it is handed.

    Its gradient is λ·(weights the forward used) under `graph`, since the forward's weights are
    the saved activation, and λ·(weights the backward used) under `recompute`.  Weights may have
    leading axes: replicas side by side.
    """

    def __init__(self, curvatures: Floats) -> None:
        self.curvatures = curvatures

    def forward(self, weights: Floats, inputs: Any, target: Any = None) -> tuple[Any, Floats]:
        return inputs + 0.5 * inner_product(weights * weights, self.curvatures), weights

    def backward(self, weights: Floats, saved: Floats, gradient: float) -> tuple[Floats, float]:
        return gradient * self.curvatures * saved, gradient


@task("quadratic", rule="half the sum of curvature * weight^2; every stage owns a block of it",
      source="standard model of delayed gradient descent (PipeMare, Lemma 1)")
class Quadratic:
    """Weights start at 1; `curvatures` λ (one or many) are the same in every block."""

    def __init__(self, shape: PipelineShape, options: TaskOptions) -> None:
        curvatures = np.array(options.curvatures, dtype=np.float64)
        self.models = [QuadraticStage(curvatures) for _ in range(shape.stages)]
        self.weights = [np.ones(len(curvatures)) for _ in range(shape.stages)]

    def inputs(self, micro_batch: int) -> float:
        return 0.0

    def target(self, micro_batch: int) -> None:
        return None

    def evaluate(self, weights: Sequence[Floats]) -> Evaluation:
        """The loss itself: the quadratic has no data to validate on."""
        losses = [model.forward(w, 0.0)[0]
                  for model, w in zip(self.models, weights, strict=True)]
        return Evaluation(float(sum(losses)))
