"""The learning rate, as it moves with the updates of a stage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sim.arrays import Floats


@dataclass(frozen=True, slots=True)
class LearningRate:
    """The learning rate of each update of a stage (from 0): constant, in steps, or a cosine.

    `step` multiplies by `factor` every `every` updates; `cosine` falls over `updates`; both
    after a linear `warmup` (updates).
    """

    base: float
    schedule: Literal["constant", "step", "cosine"] = "constant"
    updates: int = 1
    every: int = 1
    factor: float = 0.1
    warmup: int = 0

    def __call__(self, update: int) -> float:
        if update < self.warmup:
            return self.base * (update + 1) / self.warmup
        if self.schedule == "step":
            return float(self.base * self.factor ** (update // self.every))
        if self.schedule == "cosine":
            past = (update - self.warmup) / max(1, self.updates - self.warmup)
            return self.base * 0.5 * (1 + math.cos(math.pi * min(1.0, past)))
        return self.base


class RateTable:
    """Learning rates of replicas side by side: called with an update (from 0), it gives a column
    (replicas, 1) that multiplies weights (replicas, parameters)."""

    def __init__(self, rates: Sequence[LearningRate], updates: int) -> None:
        self._rates = np.array([[rate(update) for rate in rates]
                                for update in range(updates + 1)])[..., None]

    def __call__(self, update: int) -> Floats:
        column: Floats = self._rates[update]
        return column
