"""An experiment by its bare keys, with the configuration's defaults written out again."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

TICK = 2.0**-30  # seconds


class Pass(NamedTuple):
    """`op` is F, B, its halves I and W, or U; it covers `count` micro-batches from `first` on, a
    worker's own."""

    op: str
    stage: int
    first: int
    count: int

    @property
    def kind(self) -> str:
        """F, B or U, and W: the input half of a backward is what reads weights and passes on."""
        return "B" if self.op == "I" else self.op

    @property
    def covers(self) -> range:
        return range(self.first, self.first + self.count)


class Refused(Exception):
    """The experiment asks for what cannot be."""


@dataclass(frozen=True)
class Case:
    """Names and defaults are those of the configuration; `minibatches` are all workers'.

    `given` is the order of each device where it is a file's, or came about by greedy dispatch;
    `profile` are measured stages, as their JSON file has them.
    """

    schedule: str = "round-robin"
    stages: int = 3
    minibatches: int = 60
    microbatches: int = 1
    chunks: int = 1
    in_flight: int | None = None
    mitigation: dict[str, Any] = field(default_factory=lambda: {"name": "none"})
    backward: str = "graph"
    forward_s: Any = 1.0
    backward_s: Any = 1.0
    update_s: Any = 0.0
    recompute_s: Any = None
    input_backward_s: Any = None
    weight_backward_s: Any = None
    microbatch_scale: Any = (1.0,)
    device_factor: Any = 1.0
    jitter: Any = None
    stragglers: Any = ()
    trends: Any = ()
    latency: str = "pipelined"
    latency_s: Any = None
    bandwidth_bytes_per_s: Any = None
    boundary_bytes: Any = None
    activation_bytes: Any = None
    activation_limit_bytes: float | None = None
    task: str = "digits-mlp"
    learning_rate: float = 0.05
    rate_schedule: dict[str, Any] = field(default_factory=dict)
    momentum: float = 0.9
    convention: str = "ema"
    optimizer: dict[str, Any] = field(default_factory=lambda: {"name": "momentum"})
    batch_size: int = 32
    width: int = 64
    layers: int | None = None
    curvatures: Any = (1.0,)
    seed: int = 0
    evaluate_every: int = 0
    count: int = 1
    combine: dict[str, Any] = field(default_factory=lambda: {"name": "all-reduce"})
    slowdown: Any = 1.0
    sync_latency_s: float | None = None
    sync_bandwidth_bytes_per_s: float | None = None
    dispatch: str = "static"
    given: tuple[tuple[Pass, ...], ...] | None = None
    profile: dict[str, Any] | None = None

    @property
    def own_minibatches(self) -> int:
        return self.minibatches // self.count

    @property
    def own_total(self) -> int:
        """Micro-batches of one worker."""
        return self.own_minibatches * self.microbatches

    @property
    def devices(self) -> int:
        """Devices of one worker."""
        return self.stages // self.chunks

    @property
    def examples(self) -> int:
        """Examples of a micro-batch."""
        return self.batch_size // self.microbatches

    @property
    def rule(self) -> str:
        return self.mitigation["name"]

    @property
    def sizes(self) -> list[tuple[int, ...]]:
        """Units before the first layer of each stage and after each of its layers, of a
        perceptron; earlier stages get what cannot be shared out."""
        layers = self.layers or max(3, self.stages)
        units = [64] + [self.width] * (layers - 1) + [10]
        cuts, at = [], 0
        for k in range(self.stages):
            more = layers // self.stages + (k < layers % self.stages)
            cuts.append(tuple(units[at : at + more + 1]))
            at += more
        return cuts

    def measured(self, stage: int, name: str, otherwise: float) -> float:
        """What a profile says of a stage, where it does."""
        if self.profile is None:
            return otherwise
        return float(self.profile["stages"][stage].get(name, otherwise))

    def of_link(self, name: str, otherwise: float | None, boundary: int | None = None
                ) -> float | None:
        """Latency or bandwidth over a boundary: as given, else the profile's.  Without a boundary
        those of the worst one, on which a ring between workers waits."""
        given = getattr(self, name)
        if given is None and self.profile is not None:
            given = self.profile.get(name)
        if isinstance(given, list) and boundary is None:
            return (max if name == "latency_s" else min)(given, default=otherwise)
        return otherwise if given is None else per(given, boundary or 0)

    def home(self, stage: int) -> int:
        """Device of a stage in its worker."""
        if self.given is None:
            return stage % self.devices
        return next(d for d, stream in enumerate(self.given)
                    if any(each.stage == stage for each in stream))

    def weight(self, each: Pass) -> float:
        """How heavy the micro-batches of a pass are together: one each, were all alike."""
        scale = self.microbatch_scale
        return sum(scale[m % self.microbatches % len(scale)] for m in each.covers)

    def whole(self, worker: int, micro: int) -> int:
        """A worker's micro-batch as the run counts it: workers take mini-batches in turn."""
        own, j = divmod(micro, self.microbatches)
        return (own * self.count + worker) * self.microbatches + j

    def has_time_units(self) -> bool:
        return (self.schedule == "round-robin" and self.microbatches == 1
                and (self.in_flight is None or self.in_flight >= self.stages))


def per(value: Any, place: int) -> float:
    """A number, or that of a place."""
    return float(value[place]) if isinstance(value, list | tuple) else float(value)


def ticks(seconds: float) -> int:
    """Whole ticks, halves to the even one."""
    return round(math.ldexp(seconds, 30))
