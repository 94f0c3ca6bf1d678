"""The quadratic ½λw² under delays, as a recurrence in plain Python floats.

Mini-batches count from 0 here: mini-batch `i` is applied at version `i`, and its forward read the
version `max(0, i − delay)`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

Gradient = Callable[[list[float], list[float], int], float]


def descend(gradient: Gradient, updates: int, learning_rate: float, momentum: float = 0.0,
            ema: bool = True) -> list[float]:
    """Weights by version from 1.0; `gradient(weights, velocities, i)` is that of mini-batch i."""
    weights, velocities = [1.0], [0.0]
    for i in range(updates):
        g = gradient(weights, velocities, i)
        velocities.append(momentum * velocities[-1] + ((1 - momentum) * g if ema else g))
        weights.append(weights[-1] - learning_rate * velocities[-1])
    return weights


def stale(curvature: float, delay: int) -> Gradient:
    return lambda w, v, i: curvature * w[max(0, i - delay)]


def latest(curvature: float) -> Gradient:
    return lambda w, v, i: curvature * w[i]


def interpolated(curvature: float, delay: int, share: Callable[[int], float]) -> Gradient:
    """`share(gap)` of the stale weights, the rest of the latest."""
    def gradient(w: list[float], v: list[float], i: int) -> float:
        old = max(0, i - delay)
        a = share(i - old)
        return curvature * (a * w[old] + (1 - a) * w[i])
    return gradient


def predicted(curvature: float, delay: int, learning_rate: float,
              horizon: int | None = None) -> Gradient:
    """At the forward: W − s·η·v, `s` the updates to its own (or fixed)."""
    def gradient(w: list[float], v: list[float], i: int) -> float:
        old = max(0, i - delay)
        steps = i - old if horizon is None else horizon
        return curvature * (w[old] - steps * learning_rate * v[old])
    return gradient


def predicted_afresh(curvature: float, learning_rate: float, horizon: int) -> Gradient:
    """At the backward: W − s·η·v of the newest weights."""
    return lambda w, v, i: curvature * (w[i] - horizon * learning_rate * v[i])


def exponential(decay: float) -> Callable[[int], float]:
    return lambda gap: math.exp(-decay * gap) if gap else 1.0
