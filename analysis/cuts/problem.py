"""What is to be cut, for which machine and objective; and what a cut is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sim.times.profile import Profile

Objective = Literal["throughput", "flush"]


@dataclass(frozen=True)
class Level:
    """A level of the network: `count` parts of the level below (devices, at the lowest), joined by
    links of `bandwidth_bytes_per_s`, in bytes per second, and `latency_s`, in seconds."""

    count: int
    bandwidth_bytes_per_s: float = math.inf
    latency_s: float = 0.0


@dataclass(frozen=True)
class Problem:
    """A network to be cut into stages, and the machine it is to run on.

    `layers` is a profile whose stages are layers in the order a micro-batch goes through them,
    with `boundary_bytes` that each sends to the next; it can be cut after the layers in `narrow`
    (None: after any but the last).  `levels` are those of the network, lowest first; all devices
    together are `devices`.  Under `throughput` the slowest stage with its transfers counts, an
    endless run without a flush; under `flush` a mini-batch of `microbatches` micro-batches from its
    first forward to its last backward.  With `replicas` a stage may have several devices.  No
    device has more than `memory_limit_bytes`, in bytes, counted as the `schedule` and `mitigation`
    that will run need them, and `state_copies` arrays as large as the weights beside them.
    `transfers` makes messages between stages count under `flush` too, where Alpa leaves them out.
    """

    layers: Profile
    levels: tuple[Level, ...]
    objective: Objective = "throughput"
    microbatches: int = 1
    replicas: bool = False
    memory_limit_bytes: float = math.inf
    narrow: tuple[int, ...] | None = None
    schedule: str | None = None
    mitigation: str = "stash"
    backward: Literal["graph", "recompute"] = "graph"
    state_copies: float = 2.0
    transfers: bool = False

    @property
    def devices(self) -> int:
        """Devices of all levels together."""
        return math.prod(level.count for level in self.levels)


@dataclass(frozen=True)
class PlannedStage:
    """A stage of a cut: its first and its last layer, from 0, on how many devices it is, and the
    seconds it takes for a micro-batch by the formula of the objective."""

    first: int
    last: int
    replicas: int
    seconds: float

    @property
    def row(self) -> dict[str, Any]:
        """The stage in the form in which `analysis partition --json` gives it."""
        return {"layers": [self.first, self.last], "replicas": self.replicas,
                "seconds": self.seconds}


@dataclass(frozen=True)
class Plan:
    """A cut, by its formula: `bottleneck_s` are the seconds of its slowest stage or transfer for a
    micro-batch, `objective_s` what was minimised."""

    stages: tuple[PlannedStage, ...]
    bottleneck_s: float
    objective_s: float

    @property
    def devices(self) -> int:
        """How many devices it uses."""
        return sum(stage.replicas for stage in self.stages)

    @property
    def counts(self) -> Sequence[int]:
        """How many layers each stage has, as `sim.layouts.layers.cut` takes them."""
        return [stage.last - stage.first + 1 for stage in self.stages]
