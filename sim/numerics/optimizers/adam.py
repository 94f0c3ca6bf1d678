"""Adam: steps scaled by running means of the gradient and of its square."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sim.numerics.optimizers import Convention, Optimizer, OptimizerKind, optimizer

MOST_MEMORY = 1 - 1e-6  # of squared gradients: nearer to 1, its complement is mostly rounding
LEAST_EPSILON = 1e-30  # smaller, a step of a tiny gradient is no number


@dataclass(slots=True)
class Adam:
    """Adam at work on one stage, an `Optimizer`: W ← W − η·m̂/(√v̂+ε).

    `velocity` is that whole step, so predictions use it as it is; it starts at zero.  `momentum`
    is β₁, `second` β₂; `mean` and `square` are the running means, shaped as the weights.
    Source: Kingma & Ba 2015, Algorithm 1; XPipe's ΔW.
    """

    momentum: float
    velocity: Any
    second: float = 0.999
    epsilon: float = 1e-8
    mean: Any = 0.0
    square: Any = 0.0
    steps: int = 0

    def step(self, weights: Any, gradient: Any, learning_rate: Any) -> Any:
        """The weights (parameters,) after one update; `velocity` is the one that made them."""
        self.steps += 1
        self.mean = self.momentum * self.mean + (1 - self.momentum) * gradient
        self.square = self.second * self.square + (1 - self.second) * (gradient * gradient)
        mean = self.mean / (1 - self.momentum**self.steps)
        square = self.square / (1 - self.second**self.steps)
        self.velocity = mean / (square**0.5 + self.epsilon)
        return weights - learning_rate * self.velocity


@optimizer("adam", rule="W <- W - eta*m/(sqrt(v)+epsilon) of bias-corrected running means, "
                        "beta1 = momentum, beta2 = second",
           source="Kingma & Ba 2015, Algorithm 1")
@dataclass(frozen=True)
class AdamKind(OptimizerKind):
    """The optimizer `adam`; β₁ is the configuration's momentum.

    `second` is β₂, the memory of squared gradients; `epsilon` keeps small steps finite.  The
    convention of momentum does not matter: means are always weighted.  Raises ValueError.
    """

    second: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        if not 0 <= self.second <= MOST_MEMORY or not LEAST_EPSILON <= self.epsilon <= 1:
            raise ValueError(f"second is 0 to {MOST_MEMORY} and epsilon {LEAST_EPSILON} to 1, got "
                             f"second={self.second} epsilon={self.epsilon}")

    def start(self, momentum: float, convention: Convention, zero: Any) -> Optimizer:
        return Adam(momentum, zero, self.second, self.epsilon)
