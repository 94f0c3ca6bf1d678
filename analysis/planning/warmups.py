"""Warm-ups of an endless run: what a plan takes with each by formula, and which one to try."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analysis.advice.footprint import footprint
from analysis.cuts.problem import Plan, Problem
from analysis.cuts.simulated import Places, profile_of
from sim.arrays import Floats
from sim.errors import ConfigurationError
from sim.experiment.making import make_mitigation
from sim.experiment.setup import version_plan
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from sim.schedules.replicas.hybrid import enough, in_flight
from sim.times.cluster import Link
from sim.times.profile import StageProfile
from sim.workers import ring_all_reduce_s

ENDLESS = {False: "round-robin", True: "hybrid"}  # PipeDream's orders, with replicas or without
FURTHER = 4  # times what is enough on free links, the longest warm-up that is looked at [choice]
CLOSE = 1e-6  # a share of a period that is no miss


@dataclass(frozen=True, eq=False)
class Turns:
    """What the devices of a plan do in turn, in seconds: `passes` of a mini-batch on each stage,
    with a forward that is made again, `updates` behind them, with the exchange between replicas,
    (stages,), and `messages` over each boundary and back, (stages − 1,)."""

    replicas: tuple[int, ...]
    passes: Floats
    updates: Floats
    messages: Floats

    @classmethod
    def of(cls, problem: Problem, plan: Plan) -> Turns:
        """Those of a plan of an endless run, as the simulator has them."""
        stages, places = profile_of(problem, plan), Places.of(problem, plan)
        many = tuple(stage.replicas for stage in plan.stages)
        rings = [float(ring_all_reduce_s(np.array(stage.weight_bytes or 0.0),
                                         Link(level.latency_s, level.bandwidth_bytes_per_s), each))
                 if each > 1 else 0.0
                 for stage, level, each in zip(stages.stages, places.rings, many, strict=True)]
        sent = stages.boundary_bytes or (0.0,) * (len(many) - 1)
        return cls(many,
                   np.array([_pass_s(stage, problem.backward) for stage in stages.stages]),
                   np.array([stage.update_s + ring
                             for stage, ring in zip(stages.stages, rings, strict=True)]),
                   np.array([2 * (level.latency_s + size / level.bandwidth_bytes_per_s)
                             for size, level in zip(sent, places.boundaries, strict=True)]))

    def period_s(self, warmup: int | None) -> float:
        """Seconds of a mini-batch by the formula of `hybrid`: of the stretches of stages k ≤ l the
        one that takes the most, of its passes, its messages and the update of stage k, over
        aₖrₖ − (aₗ−1)rₗ [derived].  None: PipeDream's warm-up.

        Where forwards are made again it may take less, since a stage can do so while it waits."""
        ahead, many = np.array(in_flight(self.replicas, warmup)), np.array(self.replicas)
        over = (ahead * many)[:, None] - (ahead - 1) * many
        return float((self._stretches / np.where(self._stretches > 0, over, 1)).max())

    @cached_property
    def _stretches(self) -> Floats:
        """Seconds of the stages from each to each there and back, with the first one's update,
        (stages, stages); 0 below the diagonal."""
        before = np.concatenate(([0.0], np.cumsum(self.passes)))
        sent = np.concatenate(([0.0], np.cumsum(self.messages)))
        found: Floats = np.triu(before[1:] - before[:-1, None] + sent - sent[:, None]
                                + self.updates[:, None])
        return found

    @property
    def slowest_s(self) -> float:
        """The share of a mini-batch of the replicas that have the most to do: no warm-up's period
        is shorter."""
        return float(((self.passes + self.updates) / self.replicas).max())

    def quicker(self) -> list[int]:
        """Warm-ups that are quicker by formula than the default and than all that are shorter, up
        to the first with which no replica waits; the quickest first."""
        best, found = self.period_s(None), []
        for warmup in range(1, FURTHER * enough(self.replicas)[0] + 1):
            if best <= self.slowest_s * (1 + CLOSE):
                break
            each = self.period_s(warmup)
            if each < best * (1 - CLOSE):
                best = each
                found.append(warmup)
        return found[::-1]


def schedule_of(plan: Plan) -> str:
    """PipeDream's order for a plan: another where stages have replicas."""
    return ENDLESS[any(stage.replicas > 1 for stage in plan.stages)]


def quicker_that_fits(problem: Problem, plan: Plan) -> int | None:
    """The shortest warm-up of the quickest period by formula whose versions and activations fit;
    None where none that fits is quicker than the default."""
    schedule = schedule_of(plan)
    turns, profile = Turns.of(problem, plan), profile_of(problem, plan)
    for warmup in turns.quicker():
        if problem.memory_limit_bytes == math.inf:
            return warmup
        first, *_ = turns.replicas
        most = (warmup + 2) * first + 3 * max(turns.replicas)  # beyond them no more is in flight
        shape = PipelineShape(len(turns.replicas), most, warmup=warmup,
                              replicas=turns.replicas if schedule == ENDLESS[True] else None)
        try:
            versions = version_plan(SCHEDULES[schedule].program(shape),
                                    make_mitigation(problem.mitigation), schedule)
        except (ConfigurationError, ValueError):
            return None  # nor does the default run, which tells why
        peak = footprint(versions, profile, problem.backward, problem.state_copies).peak
        if max(peak) <= problem.memory_limit_bytes:
            return warmup
    return None


def _pass_s(stage: StageProfile, backward: str) -> float:
    again = 0.0
    if backward == "recompute":
        again = stage.forward_s if stage.recompute_s is None else stage.recompute_s
    return stage.forward_s + stage.backward_s + again
