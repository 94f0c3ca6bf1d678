"""Optimizers: how a stage's gradients become steps of its weights; one file each.

A kind of optimizer is a frozen dataclass of its parameters, registered by name; each stage starts
one of its own, which keeps the state (a velocity at least) and is functional about the weights: a
step returns new ones, so that a stash is a reference.  Arrays may be NumPy or torch, so steps use
operators only; of replicas side by side they are (replicas, parameters) and the learning rate a
column (replicas, 1).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

from sim.registry import Registry

Convention = Literal["ema", "heavy-ball"]


class Optimizer(Protocol):
    """The optimizer of one stage at work: its state, and the step W ← W − η·velocity.

    `momentum` is the γ (or β₁) by which those who look ahead know it, `velocity` the direction
    of the last step, shape (parameters,), zero before the first.
    """

    momentum: float
    velocity: Any

    def step(self, weights: Any, gradient: Any, learning_rate: Any) -> Any:
        """The weights (parameters,) after one update with this gradient, as a new array.

        Afterwards `velocity` is the one that made them.
        """


@dataclass(frozen=True)
class OptimizerKind(ABC):
    """A kind of optimizer, as a configuration names it; each stage starts one of its own.

    Subclasses are frozen dataclasses of their own parameters.
    γ (or β₁) and the convention of momentum are the configuration's, common to all kinds.
    """

    name: ClassVar[str]
    rule: ClassVar[str]
    source: ClassVar[str]

    @abstractmethod
    def start(self, momentum: float, convention: Convention, zero: Any) -> Optimizer:
        """The optimizer of one stage before its first step; `zero` has its weights' shape."""


OPTIMIZERS: Registry[type[OptimizerKind]] = Registry("optimizer", "sim.numerics.optimizers")


def optimizer(
    name: str, *, rule: str, source: str
) -> Callable[[type[OptimizerKind]], type[OptimizerKind]]:
    """Register the decorated `OptimizerKind` under `name`; its fields are its parameters."""

    def register(cls: type[OptimizerKind]) -> type[OptimizerKind]:
        cls.name, cls.rule, cls.source = name, rule, source
        return OPTIMIZERS.register(name, cls)

    return register
