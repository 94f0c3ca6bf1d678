"""A plan as the simulator takes it: the profile of its stages, and how far its devices are apart.

The devices of a plan count from those of its first stage on, then come those of the second, …
[choice].  What is within one part of a level of the network has that level's link.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from analysis.cuts.problem import Level, Plan, PlannedStage, Problem
from sim.arrays import Ints
from sim.layouts.layers import cut
from sim.times.cluster import Link
from sim.times.profile import Profile, StageProfile
from sim.workers import ring_all_reduce_s

PASSES = ("forward_s", "backward_s", "input_backward_s", "weight_backward_s", "recompute_s",
          "activation_bytes", "input_bytes", "held_bytes", "halved_bytes")  # of a micro-batch
FREE = Level(1)  # within one device nothing is sent


@dataclass(frozen=True)
class Places:
    """Where the stages of a plan are: the level of the network at which the devices of each meet,
    (stages,), and at which those of two neighbours do, (stages − 1,)."""

    rings: tuple[Level, ...]
    boundaries: tuple[Level, ...]

    @classmethod
    def of(cls, problem: Problem, plan: Plan) -> Places:
        """The places of a plan's stages."""
        first = np.concatenate(([0], np.cumsum([stage.replicas for stage in plan.stages])))
        size = np.cumprod([level.count for level in problem.levels])
        return cls(tuple(_meeting(problem, size, a, b - 1) for a, b in pairwise(first)),
                   tuple(_meeting(problem, size, a, b - 1)
                         for a, b in zip(first[:-2], first[2:], strict=True)))

    @property
    def cluster(self) -> dict[str, Any]:
        """The table `cluster` of an experiment on these places."""
        return _keys(self.boundaries, "latency_s", "bandwidth_bytes_per_s")

    @property
    def workers(self) -> dict[str, Any]:
        """What the table `workers` of an experiment says of the rings of copies."""
        return _keys(self.rings, "sync_latency_s", "sync_bandwidth_bytes_per_s")


def _meeting(problem: Problem, size: Ints, first: int, last: int) -> Level:
    """The lowest level of the network of which one part has all devices from first to last."""
    if first == last:
        return FREE
    return next((level for level, each in zip(problem.levels, size, strict=True)
                 if first // each == last // each), problem.levels[-1])


def _keys(levels: tuple[Level, ...], latency: str, bandwidth: str) -> dict[str, Any]:
    if not levels:
        return {}
    return {latency: [level.latency_s for level in levels],
            bandwidth: [level.bandwidth_bytes_per_s for level in levels]}


def profile_of(problem: Problem, plan: Plan) -> Profile:
    """The profile of a plan's stages, one for each, as simulated.

    Under `throughput` replicas are devices of their own, which take mini-batches in turn.  Under
    `flush` the n devices of a stage share every micro-batch and are simulated as one: passes take
    1/n of their seconds and leave 1/n of their activations, weights are whole, and the ring that
    adds gradients up comes before each update, as a part of it [choice].  Between stages of n and m
    devices each link carries 1/min(n, m) of a message [choice].
    """
    stages = cut(problem.layers, plan.counts)
    if problem.objective == "throughput":
        return stages
    rings = Places.of(problem, plan).rings
    shared = tuple(_shared(stage, planned, ring)
                   for stage, planned, ring in zip(stages.stages, plan.stages, rings, strict=True))
    sent = stages.boundary_bytes
    if sent is not None:
        sent = tuple(size / min(one.replicas, other.replicas)
                     for size, (one, other) in zip(sent, pairwise(plan.stages), strict=True))
    return stages.model_copy(update={"stages": shared, "boundary_bytes": sent})


def _shared(stage: StageProfile, planned: PlannedStage, ring: Level) -> StageProfile:
    """A stage whose micro-batches `planned.replicas` devices share, as one of them has it."""
    many = planned.replicas
    if many == 1:
        return stage
    link = Link(ring.latency_s, ring.bandwidth_bytes_per_s)
    exchange = float(ring_all_reduce_s(np.array(stage.weight_bytes or 0.0), link, many))
    return stage.model_copy(update={
        **{name: value / many for name in PASSES if (value := getattr(stage, name)) is not None},
        "update_s": stage.update_s + exchange})
