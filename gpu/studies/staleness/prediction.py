"""How far stale and predicted weights are from those to come, over a training.

For every update the weights W_{t+s} are compared with the stale W_t and with what SpecTrain's
rule predicts at t, W_t − s·η·v_t.  Source: Chen et al. 2018 (SpecTrain), the figure of RMSE
between predicted, stale and true weights for s = 1, 2, 3.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sim.mitigations import Look
from sim.mitigations.spectrain import SpecTrain
from sim.numerics.distances import squared_distance
from sim.numerics.stage import Stage

HORIZONS = (1, 2, 3)
RULE = SpecTrain(horizon="update")


class Moment(NamedTuple):
    """A stage's state after an update: enough to predict from."""

    weights: Any
    velocity: Any
    learning_rate: float
    momentum: float

    def predicted(self, steps: int) -> Any:
        """The weights `steps` updates ahead; these very ones for 0."""
        return RULE.predict(Look(self.weights, self.weights, None, self.velocity,
                                 self.learning_rate, self.momentum, steps, None, 0))


def moment(stage: Stage[Any]) -> Moment:
    return Moment(stage.weights, stage.optimizer.velocity, stage.learning_rate(stage.version),
                  stage.optimizer.momentum)


class Probe:
    """A watch for `sim.numerics.training.train`: keeps a few moments of each stage and measures.

    `measured` holds (stale, predicted) squared distances by (horizon, version reached), one for
    each stage in order, as scalars of the arrays' own kind: no device is waited for.
    """

    def __init__(self, stages: Sequence[Stage[Any]], horizons: Sequence[int] = HORIZONS) -> None:
        self.stages, self.horizons = stages, tuple(horizons)
        self.past = [deque([moment(stage)], maxlen=max(horizons) + 1) for stage in stages]
        self.measured: dict[tuple[int, int], dict[int, tuple[Any, Any]]] = {}

    def __call__(self, number: int, version: int, weights: Any) -> None:
        past = self.past[number]
        past.append(moment(self.stages[number]))
        for steps in self.horizons:
            if steps < len(past):
                then = past[-1 - steps]
                norm = weights.dot(weights)
                pair = ((squared_distance(then.weights, weights), norm),
                        (squared_distance(then.predicted(steps), weights), norm))
                self.measured.setdefault((steps, version), {})[number] = pair

    def rows(self) -> Iterator[dict[str, Any]]:
        """Horizon, update reached, RMSE and relative distance over all stages together."""
        size = sum(len(stage.weights) for stage in self.stages)
        for (steps, version), pairs in sorted(self.measured.items()):
            stale, predicted = zip(*(pairs[k] for k in sorted(pairs)), strict=True)
            yield {"horizon": steps, "update": version,
                   **_distances("stale", stale, size), **_distances("predicted", predicted, size)}


def _distances(name: str, parts: Sequence[tuple[Any, Any]], size: int) -> dict[str, float]:
    """RMSE and relative distance from the squares (distance, norm) of every stage."""
    squared, norm = (sum(map(float, column)) for column in zip(*parts, strict=True))
    relative = math.sqrt(squared / norm) if squared else 0.0
    return {f"{name}_rmse": math.sqrt(squared / size), f"{name}_relative": relative}
