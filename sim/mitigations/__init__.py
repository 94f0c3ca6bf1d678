"""Mitigations of weight staleness: one file each, four questions answered.

Which version does a forward read, which a backward, what weights does the pass compute with, and
how is the gradient applied.  The defaults are the identity: `Mitigation` itself is vanilla
asynchronous training.  Arrays may be NumPy or torch, so methods use operators only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

from sim.order.shape import PipelineShape
from sim.registry import Registry, readable


class Reads(NamedTuple):
    """What is known when a pass chooses its version: integers or arrays of them alike.

    `latest` is the newest version on the stage, `entry` the version stage 0 had when the
    micro-batch entered, `forward` the version this micro-batch's forward read here (equal to
    `latest` in the forward itself), `index` the micro-batch, `microbatches` their number per
    update.
    """

    latest: Any
    entry: Any
    forward: Any
    index: Any
    microbatches: int


class Look(NamedTuple):
    """What is known when a pass chooses its weights.

    `weights` are those of the version it reads, `latest` the newest, `used` what this
    micro-batch's forward computed with (in a backward, of a mitigation whose `stash` is the
    prediction: nobody else keeps it), `velocity` the optimizer's velocity that produced `latest`,
    `horizon` the updates until the gradient's own, read off the program, `unit_horizon`
    SpecTrain's closed form (None off round-robin), `gap` the versions between the one read and
    the latest.
    """

    weights: Any
    latest: Any
    used: Any
    velocity: Any
    learning_rate: float
    momentum: float
    horizon: int
    unit_horizon: int | None
    gap: int


@dataclass(frozen=True)
class Setting:
    """The pipeline a mitigation is asked to serve; `check` refuses with the reason."""

    schedule: str
    shape: PipelineShape


@dataclass(frozen=True)
class Mitigation:
    """Vanilla asynchronous training; subclasses override what they change.

    `stash` says what a stage keeps for the backward beside its newest weights: the `version` it
    will read, or the `prediction` its forward computed with.
    """

    name: ClassVar[str]
    rule: ClassVar[str]
    source: ClassVar[str]
    stash: ClassVar[Literal["version", "prediction"]] = "version"

    def check(self, setting: Setting) -> None:
        """Raise ValueError with the reason where this mitigation does not apply."""

    def forward_version(self, reads: Reads) -> Any:
        return reads.latest

    def backward_version(self, reads: Reads) -> Any:
        return reads.latest

    @property
    def keeps_forward(self) -> bool:
        """Whether a backward reads the very version its own forward read."""
        own = 1
        return bool(self.backward_version(Reads(4, 3, own, 0, 1)) == own)

    def forward_weights(self, look: Look) -> Any:
        return look.weights

    def backward_weights(self, look: Look) -> Any:
        return look.weights

    def gradient(self, gradient: Any, look: Look) -> Any:
        """The gradient of one mini-batch as the optimizer shall see it."""
        return gradient

    def steps_ahead(self, horizon: Any, unit_horizon: int | None) -> Any:
        """Updates a forward's weights are predicted ahead; no prediction, none ahead."""
        return 0 * horizon

    def effective_staleness(self, gap: Any) -> Any:
        """Updates by which weights computed from `gap` versions are effectively behind."""
        return gap


MITIGATIONS: Registry[type[Mitigation]] = Registry("mitigation", "sim.mitigations")
readable(MITIGATIONS)


def mitigation(
    name: str, *, rule: str, source: str
) -> Callable[[type[Mitigation]], type[Mitigation]]:
    """Register the decorated class, a frozen dataclass whose fields are its parameters."""

    def register(cls: type[Mitigation]) -> type[Mitigation]:
        cls.name, cls.rule, cls.source = name, rule, source
        return MITIGATIONS.register(name, cls)

    return register
