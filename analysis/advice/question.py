"""What an advisor is asked: a file of measured costs, devices, their memory, what to consider."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.room import wrong_room
from sim.errors import ConfigurationError, unknown
from sim.experiment.values.tensor import MOST_WAYS
from sim.mitigations import MITIGATIONS
from sim.numerics.stage import Backward
from sim.order.shape import MOST_RANKS
from sim.schedules import SCHEDULES

NEEDED = ("weight_bytes", "activation_bytes")  # of a profile, to count memory
BACKWARDS: tuple[Backward, ...] = ("graph", "recompute")
WITHIN_S = 60.0  # of looking at cuts, orders and all the rest, where nothing else is said


@dataclass(frozen=True)
class Question:
    """What an advisor is asked: pipelines for the profile in `path`, on so many devices.

    `memory_limit_bytes` are the bytes each device has; `microbatches` or `batch_sizes` (samples),
    `backwards`, `schedules` and `mitigations`, are what to consider (empty: all there are);
    `state_copies` arrays as large as the weights are held beside them; `consistent` asks for
    passes that read one version.

    Where `layers` is true the profile's stages are layers, which are to be cut into stages; None:
    as the file has it (`analysis.advice.planned.layers`).  Then devices are joined by links of
    `bandwidth_bytes_per_s`, in bytes per second, and `latency_s`, in seconds (None: as measured);
    `ways` are the tensor ways to consider (empty: powers of two), whose devices are joined by links
    of their own, of `ring_bandwidth_bytes_per_s`, in bytes per second, and `ring_latency_s`, in
    seconds (None: as the others).  No more candidates are begun after `within_s` seconds, and for
    `search_s` seconds a better order of the best pipeline that is never stale is searched for.

    Raises ConfigurationError with every problem.
    """

    path: Path
    memory_limit_bytes: float
    devices: int
    microbatches: Sequence[int] = ()
    batch_sizes: Sequence[int] = ()
    backwards: Sequence[Backward] = BACKWARDS
    state_copies: float = 2.0
    consistent: bool = False
    schedules: Sequence[str] = ()
    mitigations: Sequence[str] = ()
    layers: bool | None = None
    bandwidth_bytes_per_s: float | None = None
    latency_s: float | None = None
    ways: Sequence[int] = ()
    ring_bandwidth_bytes_per_s: float | None = None
    ring_latency_s: float | None = None
    within_s: float = WITHIN_S
    search_s: float = 0.0

    def __post_init__(self) -> None:
        problems = [*self._numbers(), *self._names()]
        if self.microbatches and self.batch_sizes:
            problems.append("--batch-size: give it or --microbatches, not both")
        for name, values in (("microbatches", self.microbatches),
                             ("batch-size", self.batch_sizes), ("ways", self.ways),
                             ("devices", [self.devices])):
            if any(value < 1 for value in values):
                problems.append(f"--{name}: at least 1, got {min(values)}")
        for name, most, value in (("devices", MOST_RANKS, self.devices),
                                  ("ways", MOST_WAYS, max(self.ways, default=1))):
            if value > most:
                problems.append(f"--{name}: at most {most}, got {value}")
        if problems:
            raise ConfigurationError(problems)

    def _numbers(self) -> list[str]:
        """What is wrong with bytes, copies, seconds and links."""
        problems = list(wrong_room(self.memory_limit_bytes, self.state_copies))
        for name, speed in (("bandwidth", self.bandwidth_bytes_per_s),
                            ("ring-bandwidth", self.ring_bandwidth_bytes_per_s)):
            if speed is not None and not 1e-6 <= speed < math.inf:
                problems.append(f"--{name}: bytes per second, from 1e-06 and finite, got {speed:g}")
        for name, seconds in (("latency", self.latency_s or 0.0),
                              ("ring-latency", self.ring_latency_s or 0.0),
                              ("seconds", self.within_s), ("search", self.search_s)):
            if not 0 <= seconds <= 1e9:
                problems.append(f"--{name}: seconds, from 0 to 1e+09, got {seconds:g}")
        return problems

    def _names(self) -> list[str]:
        """The schedules and mitigations that nobody knows."""
        return [f"--{option}: {unknown(what, name, known)}"
                for option, what, names, known in (
                    ("schedules", "schedule", self.schedules, SCHEDULES.names()),
                    ("mitigations", "mitigation", self.mitigations, MITIGATIONS.names()))
                for name in names if name not in known]
