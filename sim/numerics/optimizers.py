"""Optimizers, functional: a step returns new weights.  Momentum SGD, and Adam for torch runs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Convention = Literal["ema", "heavy-ball"]


class Optimizer(Protocol):
    """What a stage asks of its optimizer: W ← W − η·velocity, and γ for those who look ahead."""

    momentum: float
    velocity: Any

    def step(self, weights: Any, gradient: Any, learning_rate: float) -> Any: ...


@dataclass(slots=True)
class MomentumSGD:
    """W ← W − η·v with v ← γ·v + (1−γ)·g (`ema`, SpecTrain) or v ← γ·v + g (`heavy-ball`, torch).

    `velocity` starts at zero in both conventions (torch's dampening skips its first step).
    Arrays may be NumPy or torch; none is changed in place, so a stash is a reference.
    """

    momentum: float
    convention: Convention
    velocity: Any

    def step(self, weights: Any, gradient: Any, learning_rate: float) -> Any:
        """The weights after one update; afterwards `velocity` is the one that made them."""
        if not self.momentum:
            self.velocity = gradient
        else:
            velocity = self.momentum * self.velocity  # a new array, so adding in place is safe
            velocity += (1 - self.momentum) * gradient if self.convention == "ema" else gradient
            self.velocity = velocity
        new = -learning_rate * self.velocity  # an array of its own, so adding in place is safe
        new += weights
        return new


@dataclass(slots=True)
class Adam:
    """W ← W − η·m̂/(√v̂+ε); `velocity` is that whole step, so predictions use it as it is.

    `momentum` is β₁; `velocity` starts at zero.  Operators only: NumPy or torch.
    Source: Kingma & Ba 2015, Algorithm 1; XPipe's ΔW.
    """

    momentum: float
    velocity: Any
    second: float = 0.999
    epsilon: float = 1e-8
    mean: Any = 0.0
    square: Any = 0.0
    steps: int = 0

    def step(self, weights: Any, gradient: Any, learning_rate: float) -> Any:
        """The weights after one update; afterwards `velocity` is the one that made them."""
        self.steps += 1
        self.mean = self.momentum * self.mean + (1 - self.momentum) * gradient
        self.square = self.second * self.square + (1 - self.second) * (gradient * gradient)
        mean = self.mean / (1 - self.momentum**self.steps)
        square = self.square / (1 - self.second**self.steps)
        self.velocity = mean / (square**0.5 + self.epsilon)
        return weights - learning_rate * self.velocity


@dataclass(frozen=True, slots=True)
class LearningRate:
    """Learning rate by update index (from 0): constant, in steps, or a cosine to zero.

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
