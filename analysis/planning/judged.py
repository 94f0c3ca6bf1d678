"""A plan run by the simulator: what it takes beside what its formula says, and whether it fits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from analysis.advice.footprint import footprint
from analysis.cuts.problem import Plan, Problem
from analysis.cuts.simulated import Places, profile_of
from analysis.planning.warmups import quicker_that_fits, schedule_of
from analysis.theory.endless import solve
from sim.arrays import Floats
from sim.errors import ConfigurationError, DeadlockError, UnsettledError
from sim.experiment.configuration import resolve
from sim.experiment.options import Experiment
from sim.experiment.run import settle
from sim.experiment.setup import VirtualSetup
from sim.rows import Row
from sim.times.profile import Profile
from sim.times.timeline import Timeline
from sim.weights.versions import VersionPlan

FLUSHED = ("1f1b", "eager-1f1b", "gpipe")
SPLIT = ("zb-h1", "zb-h2")  # where the halves of backwards are known
RUN = 60  # mini-batches of an experiment without an end


class Order(NamedTuple):
    """An order to simulate a plan by: its schedule, and its warm-up (None: the schedule's own)."""

    schedule: str
    warmup: int | None = None


@dataclass(frozen=True)
class Judged:
    """A plan under one order, simulated.

    `seconds` are those of a micro-batch in the endless run under `throughput`, of a whole
    mini-batch from its first forward to its last update under `flush`.  `bubble_fraction` is of the
    devices the plan has, `peak_bytes` are the bytes of each device of the simulation at its worst
    moment, (devices,).  One that does not run is `refused` with the reason, and has none of these.
    """

    plan: Plan
    order: Order
    seconds: float = math.inf
    bubble_fraction: float = math.nan
    peak_bytes: tuple[float, ...] = ()
    fits: bool = False
    refused: str | None = None

    @property
    def miss(self) -> float | None:
        """By how much the simulation takes longer than the formula, as a share of the formula."""
        if self.refused is not None or not self.plan.objective_s:
            return None
        return self.seconds / self.plan.objective_s - 1

    @property
    def row(self) -> Row:
        """It in the form in which `--json` gives it."""
        order = self.order._asdict()
        if self.refused is not None:
            return {**order, "refused": self.refused}
        return {**order, "seconds": self.seconds, "miss": self.miss,
                "bubble_fraction": self.bubble_fraction, "peak_bytes": list(self.peak_bytes),
                "fits": self.fits, "refused": None}


def orders(problem: Problem, plan: Plan) -> list[Order]:
    """The orders by which a plan is simulated: the one that is asked for, else PipeDream's own
    under `throughput`, and those of one stage a device under `flush`.  Where by its formula
    PipeDream's waits, also with the warm-up with which it waits least of those that fit [choice:
    of whole mini-batches alone, which is what the formula is of]."""
    if problem.objective == "throughput":
        own = schedule_of(plan)
        found = [Order(problem.schedule or own)]
        if found[0].schedule == own and problem.microbatches == 1:
            longer = quicker_that_fits(problem, plan)
            found += [] if longer is None else [Order(own, longer)]
        return found
    if problem.schedule is not None:
        return [Order(problem.schedule)]
    halves = any(half is not None for layer in problem.layers.stages
                 for half in (layer.input_backward_s, layer.weight_backward_s))
    return [Order(name) for name in (*FLUSHED, *(SPLIT if halves else ()))]


def document(problem: Problem, plan: Plan, order: Order) -> dict[str, dict[str, Any]]:
    """The experiment that runs a plan under an order, without the file its stages are in."""
    flush = problem.objective == "flush"
    places = Places.of(problem, plan)
    pipeline: dict[str, Any] = {
        "schedule": order.schedule, "stages": len(plan.stages), "minibatches": 1 if flush else RUN,
        "microbatches": problem.microbatches, "mitigation": problem.mitigation,
        "backward": problem.backward}
    if order.warmup is not None:
        pipeline["warmup"] = order.warmup
    several = not flush and any(stage.replicas > 1 for stage in plan.stages)
    if several:
        pipeline["replicas"] = [stage.replicas for stage in plan.stages]
    return {"pipeline": pipeline, "cluster": places.cluster,
            "workers": places.workers if several else {}, "training": {"task": "none"}}


def judge(problem: Problem, plan: Plan, order: Order) -> Judged:
    """A plan simulated under an order; what the simulator refuses is told, not raised."""
    profile = profile_of(problem, plan)
    try:
        experiment = resolve(document(problem, plan, order))
        if problem.objective == "flush":
            return _flushed(problem, plan, order, experiment, profile)
        return _endless(problem, plan, order, experiment, profile)
    except ConfigurationError as error:
        reason = "; ".join(error.problems)
    except (UnsettledError, DeadlockError) as error:
        reason = str(error)
    return Judged(plan, order, refused=reason)


def _endless(problem: Problem, plan: Plan, order: Order, experiment: Experiment, profile: Profile
             ) -> Judged:
    setup, found = solve(experiment, profile=profile)
    if not found.period:
        raise ConfigurationError(["nothing in the layers takes any time"])
    peak = _peaks(problem, setup.checked_versions(setup.program), profile)
    return Judged(plan, order,
                  found.period_s / problem.microbatches, found.bubble_fraction or 0.0, tuple(peak),
                  bool(max(peak) <= problem.memory_limit_bytes))


def _flushed(problem: Problem, plan: Plan, order: Order, experiment: Experiment, profile: Profile
             ) -> Judged:
    timed = settle(VirtualSetup.of(experiment, profile=profile))
    seconds = float(timed.timeline.end_s.max())
    peak = _peaks(problem, timed.plan, profile)
    return Judged(plan, order, seconds, _bubble(plan, timed.timeline, seconds), tuple(peak),
                  bool(max(peak) <= problem.memory_limit_bytes))


def _bubble(plan: Plan, timeline: Timeline, seconds: float) -> float:
    """The share of time in which the plan's devices do nothing, of which a stage may have many."""
    program = timeline.program
    busy = np.bincount(program.device, timeline.end_s - timeline.start_s, program.devices)
    many = np.array([stage.replicas for stage in plan.stages])
    return 1.0 - float((many * busy).sum() / (many.sum() * seconds)) if seconds else 0.0


def _peaks(problem: Problem, versions: VersionPlan, profile: Profile) -> Floats:
    """Bytes at the worst moment of each device of the simulation, (devices,)."""
    return footprint(versions, profile, problem.backward, problem.state_copies).peak
