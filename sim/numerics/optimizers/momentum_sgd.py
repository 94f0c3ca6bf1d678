"""Gradient descent with momentum, in SpecTrain's convention or torch's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sim.numerics.optimizers import Convention, Optimizer, OptimizerKind, optimizer


@dataclass(slots=True)
class MomentumSGD:
    """Gradient descent with momentum at work on one stage, an `Optimizer`: W ← W − η·v.

    v ← γ·v + (1−γ)·g under `ema` (SpecTrain), v ← γ·v + g under `heavy-ball` (torch); `velocity`
    starts at zero in both (torch's dampening skips its first step).
    """

    momentum: float
    convention: Convention
    velocity: Any

    def step(self, weights: Any, gradient: Any, learning_rate: Any) -> Any:
        """The weights (parameters,) after one update; `velocity` is the one that made them."""
        if not self.momentum:
            self.velocity = gradient
        else:
            velocity = self.momentum * self.velocity  # a new array, so adding in place is safe
            velocity += (1 - self.momentum) * gradient if self.convention == "ema" else gradient
            self.velocity = velocity
        new = -learning_rate * self.velocity  # an array of its own, so adding in place is safe
        new += weights
        return new


@optimizer("momentum", rule="v <- gamma*v + (1-gamma)*g (ema) or gamma*v + g (heavy-ball), "
                            "W <- W - eta*v",
           source="Polyak 1964 (heavy-ball); Chen et al. 2018 (SpecTrain) for the running mean")
@dataclass(frozen=True)
class Momentum(OptimizerKind):
    """The optimizer `momentum`: γ is the configuration's, 0 for plain gradient descent."""

    def start(self, momentum: float, convention: Convention, zero: Any) -> Optimizer:
        return MomentumSGD(momentum, convention, zero)
