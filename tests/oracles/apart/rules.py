"""Learning rates and optimizers, as their formulas say."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.oracles.apart.case import Case


def rate(case: Case, update: int) -> float:
    """The learning rate of a stage's own update, from 0; a schedule spans all of those."""
    table = case.rate_schedule
    name, warm = table.get("name", "constant"), table.get("warmup", 0)
    if update < warm:
        return case.learning_rate * (update + 1) / warm
    if name == "step":
        return case.learning_rate * table.get("factor", 0.1) ** (
            update // table.get("every", 1000))
    if name == "cosine":
        turn = min(1.0, (update - warm) / max(1, case.own_minibatches - warm))
        return case.learning_rate * math.cos(math.pi * turn / 2) ** 2
    return case.learning_rate


def slowed(case: Case, stage: int, behind: int, eta: float) -> float:
    """The learning rate of an update so many updates after what its forward read."""
    table = case.mitigation
    enough = table.get("concurrency", case.stages - stage)
    if case.rule != "delay-adaptive" or behind <= enough:
        return eta
    if "smoothness" in table:
        return min(eta, 0.25 / table["smoothness"] / behind)
    return eta * enough / behind


@dataclass
class Optimizer:
    """`velocity` is the direction of the last step, which W goes along by the learning rate."""

    case: Case
    velocity: Any
    mean: Any = 0.0
    square: Any = 0.0
    steps: int = 0

    def step(self, weights: Any, gradient: Any, learning_rate: float) -> Any:
        keep, table = self.case.momentum, self.case.optimizer
        self.steps += 1
        if table["name"] == "adam":
            second = table.get("second", 0.999)
            self.mean = keep * self.mean + (1 - keep) * gradient
            self.square = second * self.square + (1 - second) * gradient**2
            self.velocity = self.mean / (1 - keep**self.steps) / (
                np.sqrt(self.square / (1 - second**self.steps)) + table.get("epsilon", 1e-8))
        else:
            share = 1 - keep if self.case.convention == "ema" else 1.0
            self.velocity = keep * self.velocity + share * gradient
        return weights - learning_rate * self.velocity
