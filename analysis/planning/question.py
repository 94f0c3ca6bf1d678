"""What a planner is asked: layers, devices and their network, what counts, and what must fit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from analysis.cuts.problem import Level, Objective, Problem
from analysis.room import wrong_room
from sim.errors import ConfigurationError, unknown
from sim.layouts.layers import layers_in, narrow_in
from sim.mitigations import MITIGATIONS
from sim.numerics.stage import Backward
from sim.schedules import SCHEDULES
from sim.tensor.exchanges import Exchanges
from sim.tensor.stages import Splitting, split_profile
from sim.times.cluster import Link
from sim.times.profile import Profile

MOST_DEVICES, MOST_MICROBATCHES = 4096, 10_000
EACH = 4  # micro-batches for each device where a flush is waited for, as GPipe advises
NEEDED = ("weight_bytes", "activation_bytes")  # of a layer, where memory is limited


@dataclass(frozen=True)
class Question:
    """Which cut of the layers in the file `path` is best, on so many devices.

    `levels` are how many parts each level of the network has, lowest first (none: one level of all
    devices), `bandwidths` in bytes per second and `latencies` in seconds are one for each level
    (none: as the file says; one: of all levels).  `memory_limit_bytes` is what each device has
    (None: no limit), `state_copies` are arrays as large as the weights that are held beside them.
    `microbatches` of None is 1 under `throughput`, and 4 for each device under `flush`; `schedule`
    of None are those that suit the objective; with `transfers` the formula of `flush` counts
    messages, too, which Alpa's does not.  `ways` are the numbers of devices to try that share the
    layers of every stage (`sim.tensor`), over links of `ring_bandwidth` bytes per second and
    `ring_latency` seconds (None: those of the lowest level); of p a pipeline has `devices` / p of
    its own.  At most `most` candidates are simulated (None: as many as take a few seconds, up to
    16).  Raises ConfigurationError with every problem.
    """

    path: Path
    devices: int
    objective: Objective = "throughput"
    microbatches: int | None = None
    replicas: bool = False
    levels: Sequence[int] = ()
    bandwidths: Sequence[float] = ()
    latencies: Sequence[float] = ()
    memory_limit_bytes: float | None = None
    schedule: str | None = None
    mitigation: str = "stash"
    backward: Backward = "graph"
    state_copies: float = 2.0
    transfers: bool = False
    ways: Sequence[int] = (1,)
    ring_bandwidth: float | None = None
    ring_latency: float | None = None
    most: int | None = None

    def __post_init__(self) -> None:
        problems = [*self._numbers(), *self._network(), *self._sharing(), *self._names()]
        if problems:
            raise ConfigurationError(problems)

    def _numbers(self) -> Iterator[str]:
        for name, value, most in (("devices", self.devices, MOST_DEVICES),
                                  ("microbatches", self.microbatches, MOST_MICROBATCHES),
                                  *(("ways", each, MOST_DEVICES) for each in self.ways),
                                  ("most", self.most, MOST_DEVICES)):
            if value is not None and not 1 <= value <= most:
                yield f"--{name}: from 1 to {most}, got {value}"
        yield from wrong_room(self.memory_limit_bytes, self.state_copies)

    def _network(self) -> Iterator[str]:
        levels = self.levels or (self.devices,)
        if self.levels and (min(levels) < 1 or math.prod(levels) != self.devices):
            yield (f"--levels: parts of each level, lowest first, that make {self.devices} devices "
                   f"together, got {','.join(map(str, levels))}")
        for name, values, least in (("bandwidth", self.bandwidths, 1e-6),
                                    ("latency", self.latencies, 0.0)):
            if len(values) > 1 and len(values) != len(levels):
                yield (f"--{name}: one number, or one for each level, so {len(levels)}, got "
                       f"{len(values)}"
                       + ("; --levels says what levels there are" if not self.levels else ""))
            if any(math.isnan(value) or value < least for value in values):
                yield f"--{name}: from {least:g} on, got {min(values):g}"
        if any(math.isinf(value) for value in self.latencies):
            yield "--latency: seconds, finite, got inf"

    def _sharing(self) -> Iterator[str]:
        lowest = (self.levels or (self.devices,))[0]
        for each in self.ways:
            if each > 1 and lowest % each:
                yield ("--ways: divides the devices"
                       f"{' of the lowest level' if self.levels else ''}, got {each} and {lowest}")
        for name, value, least in (("ring-bandwidth", self.ring_bandwidth, 1e-6),
                                   ("ring-latency", self.ring_latency, 0.0)):
            if value is not None and not value >= least:
                yield f"--{name}: from {least:g} on, got {value:g}"
            if value is not None and max(self.ways, default=1) == 1:
                yield f"--{name}: no stage is shared by several devices; give --ways"

    def _names(self) -> Iterator[str]:
        if self.objective not in ("throughput", "flush"):
            yield unknown("objective", self.objective, ["throughput", "flush"])
        if self.schedule is not None and self.schedule not in SCHEDULES.names():
            yield f"--schedule: {unknown('schedule', self.schedule, SCHEDULES.names())}"
        if self.mitigation not in MITIGATIONS.names():
            yield f"--mitigation: {unknown('mitigation', self.mitigation, MITIGATIONS.names())}"

    def problems(self) -> dict[int, Problem]:
        """What is asked with the layers that the file has, by how many devices share a stage.

        Raises ProfileError, or ConfigurationError where the layers do not say what is needed.
        """
        layers = layers_in(self.path)
        lacking = [f"stages.{k}.{name}" for k, layer in enumerate(layers.stages)
                   for name in NEEDED if getattr(layer, name) is None]
        if self.memory_limit_bytes is not None and lacking:
            raise ConfigurationError([f"--memory-limit: {self.path} does not say {lacking[0]}"
                                      + (f" and {len(lacking) - 1} more" * (len(lacking) > 1))])
        return {ways: self._problem(layers, ways) for ways in dict.fromkeys(self.ways or (1,))}

    def _problem(self, layers: Profile, ways: int) -> Problem:
        micro = self.microbatches
        if micro is None:
            micro = EACH * self.devices if self.objective == "flush" else 1
        levels = self._levels(layers)
        if ways > 1:
            layers = self._shared(layers, levels[0], ways)
            levels = (replace(levels[0], count=levels[0].count // ways), *levels[1:])
        return Problem(layers, levels, self.objective, micro, self.replicas,
                       self.memory_limit_bytes or math.inf, narrow_in(layers), self.schedule,
                       self.mitigation, self.backward, self.state_copies, self.transfers)

    def _shared(self, layers: Profile, lowest: Level, ways: int) -> Profile:
        """The layers as each of `ways` devices has them that share them.

        [choice] Where none names its all-reduces each has those of a transformer's layer, of what
        it sends on (the last: of what it gets).
        """
        many, sent = len(layers.stages), layers.boundary_bytes or ()
        each = np.array([*sent, *sent[-1:]] if sent else [0.0] * many)
        exchanges = Exchanges.measured(layers.stages) or Exchanges.alike(np.ones(many), each)
        latency, bandwidth = self.ring_latency, self.ring_bandwidth
        ring = Link(lowest.latency_s if latency is None else latency,
                    lowest.bandwidth_bytes_per_s if bandwidth is None else bandwidth)
        return split_profile(layers, [ways] * many, exchanges, Splitting(ring))

    def _levels(self, layers: Profile) -> tuple[Level, ...]:
        counts = self.levels or (self.devices,)
        bandwidths = self.bandwidths or (layers.bandwidth_bytes_per_s or math.inf,)
        latencies = self.latencies or (layers.latency_s,)
        each = [values if len(values) > 1 else [*values] * len(counts)
                for values in (bandwidths, latencies)]
        return tuple(Level(*level) for level in zip(counts, *each, strict=True))
