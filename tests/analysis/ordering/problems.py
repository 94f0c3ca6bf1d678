"""Small problems of orders, seeded: uneven stages, links that are slow, stages that share."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from analysis.ordering.problem import OrderProblem
from sim.experiment.configuration import resolve


def uneven(seed: int, stages: int = 4, microbatches: int = 6, **keys: Any) -> OrderProblem:
    """Passes, messages and activations of random sizes; `keys` are of the pipeline."""
    rng = np.random.default_rng([seed, stages, microbatches])

    def some(size: int, least: float, most: float) -> list[float]:
        return rng.uniform(least, most, size).round(4).tolist()

    halves = [some(stages, 0.5, 1.5) for _ in range(2)]
    return OrderProblem.of(resolve({
        "pipeline": {"stages": stages, "microbatches": microbatches, "minibatches": 1,
                     "schedule": "1f1b", **keys},
        "costs": {"forward_s": some(stages, 0.5, 1.5), "update_s": some(stages, 0.0, 0.2),
                  "backward_s": [a + b for a, b in zip(*halves, strict=True)],
                  "input_backward_s": halves[0], "weight_backward_s": halves[1]},
        "cluster": {"latency_s": some(stages - 1, 0.0, 0.3), "bandwidth_bytes_per_s": 10.0,
                    "boundary_bytes": some(stages - 1, 0.0, 3.0),
                    "activation_bytes": rng.integers(50, 150, stages).tolist()},
        "training": {"task": "none"}}))


def within(problem: OrderProblem, limit_bytes: float) -> OrderProblem:
    """The same problem on devices of so many bytes."""
    return dataclasses.replace(problem, limit_bytes=limit_bytes)
