"""Where layers are cut, by the formulas of `analysis.cuts`: what is worth to be run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from analysis.cuts.plans import plans
from analysis.cuts.problem import Level, Plan, Problem
from sim.errors import ConfigurationError
from sim.layouts.layers import narrow_in
from sim.numerics.stage import Backward
from sim.times.profile import Profile

Counts = tuple[int, ...]


@dataclass(frozen=True)
class Cutting:
    """Layers that are to be cut, for devices with so many bytes each and `state_copies` arrays as
    large as the weights beside them, and backwards that are done so."""

    layers: Profile
    memory_limit_bytes: float
    state_copies: float
    backwards: Sequence[Backward]

    def straight(self, most: int, devices: int, microbatches: int) -> dict[int, list[Counts]]:
        """Cuts by their number of stages, up to `most`, of one device each: layers of each stage.

        They are the best for an endless run and for a flush of so many micro-batches; and where
        one of at most `devices` stages needs more memory than there is, the best that does not, as
        1F1B fills it: never with more micro-batches than stages in flight.
        """
        flush: dict[str, Any] = {"objective": "flush", "microbatches": microbatches}
        wanted: list[tuple[int, dict[str, Any]]] = [
            (most, {"objective": "throughput"}), (most, flush)]
        limited = [(devices, {**flush, "memory_limit_bytes": self.memory_limit_bytes,
                              "backward": backward, "mitigation": "none",
                              "state_copies": self.state_copies,
                              "microbatches": min(devices, microbatches)})
                   for backward in self.backwards]
        found: dict[int, list[Counts]] = {}
        for stages, keys in (*wanted, *limited):
            for plan in self._plans(stages, keys):
                cuts = found.setdefault(len(plan.stages), [])
                if tuple(plan.counts) not in cuts:
                    cuts.append(tuple(plan.counts))
        return found

    def replicated(self, devices: int) -> list[Plan]:
        """Cuts whose stages have replicas that take mini-batches in turn, on so many devices: the
        best for an endless run with each number of stages, and the best that fit the memory."""
        wanted: dict[str, Any] = {"objective": "throughput", "replicas": True}
        limited = [{**wanted, "memory_limit_bytes": self.memory_limit_bytes, "backward": backward,
                    "mitigation": "none", "state_copies": self.state_copies}
                   for backward in self.backwards]
        found = {(*((each.first, each.replicas) for each in plan.stages),): plan
                 for keys in (wanted, *limited) for plan in self._plans(devices, keys)
                 if len(plan.stages) > 1 and plan.devices > len(plan.stages)}
        return list(found.values())

    def _plans(self, devices: int, keys: dict[str, Any]) -> list[Plan]:
        """The best plan for each number of stages; none where nothing fits the memory."""
        layers = self.layers
        level = Level(devices, layers.bandwidth_bytes_per_s or math.inf, layers.latency_s)
        problem = Problem(layers, (level,), narrow=narrow_in(layers))
        try:
            return plans(replace(problem, **keys))
        except ConfigurationError:
            return []
