"""Watching a training in NumPy: how far stale and predicted weights are from those to come."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import numpy as np

from sim.mitigations import Look
from sim.mitigations.spectrain import SpecTrain
from sim.numerics.distances import squared_distance

HORIZONS = (1, 2, 3)
RULE = SpecTrain(horizon="update")


class Probe:
    """A watch for `sim.experiment.run.run`: keeps the last few weights of each stage and measures.

    The velocity comes from the weights themselves: at a constant rate η·v(t) = W(t−1) − W(t),
    from a stage's second update on.
    Source: Chen et al. 2018 (SpecTrain), the figure of RMSE between predicted, stale and true
    weights for s = 1, 2, 3.
    """

    def __init__(self, stages: int) -> None:
        self.past: list[deque[Any]] = [deque(maxlen=max(HORIZONS) + 2) for _ in range(stages)]
        self.squares: dict[tuple[int, int], dict[int, tuple[float, float, int]]] = {}

    def __call__(self, stage: int, version: int, weights: Any) -> None:
        past = self.past[stage]
        past.append(weights)
        for steps in HORIZONS:
            if len(past) >= steps + 2:
                then, before = past[-1 - steps], past[-2 - steps]
                predicted = RULE.predict(Look(then, then, None, before - then, 1.0, 0.0, steps,
                                              None, 0))
                self.squares.setdefault((steps, version), {})[stage] = (
                    float(squared_distance(then, weights)),
                    float(squared_distance(predicted, weights)), len(weights))

    def rows(self, block: int) -> list[dict[str, Any]]:
        """Horizon, last update of each block, and mean RMSE over its updates, all stages
        together."""
        found: dict[tuple[int, int], list[tuple[float, float]]] = {}
        for (steps, version), stages in sorted(self.squares.items()):
            stale, predicted, size = (sum(column) for column in zip(*stages.values(), strict=True))
            place = (steps, -(-version // block) * block)
            found.setdefault(place, []).append((math.sqrt(stale / size),
                                                math.sqrt(predicted / size)))
        return [{"horizon": steps, "update": update, "stale_rmse": float(np.mean(stale)),
                 "predicted_rmse": float(np.mean(predicted))}
                for (steps, update), pairs in found.items()
                for stale, predicted in [zip(*pairs, strict=True)]]
