"""An experiment run for ever, without running it: steady throughput, bubble, staleness."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from analysis.theory.howard import ApartError
from analysis.theory.pattern import Pattern
from analysis.theory.steady import SteadyState, as_json, steady_state
from sim.errors import ConfigurationError
from sim.experiment.machine import load_profile
from sim.experiment.options import Experiment
from sim.experiment.setup import VirtualSetup
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.order.torch_csv.reading import repeated
from sim.times.cluster import Cluster
from sim.times.engines import engine_of
from sim.times.expanded.expand import expands
from sim.times.limits import refuse_long
from sim.times.memory import most_claimed
from sim.times.profile import Profile
from sim.weights.versions import VersionPlan

SHORTEST, DOUBLINGS = 6, 5  # mini-batches beyond 2·S of the first program looked at; then twice
MOST = 8_000_000  # instructions to look at


def endless(experiment: Experiment, program: Program | None = None,
            profile: Profile | None = None) -> dict[str, Any]:
    """An experiment's steady state by name, as `--json` prints it.

    The experiment's own number of mini-batches plays no part, nor how large its last one is; a
    `program` stands in for its schedule's, and one of one mini-batch is repeated for ever; a
    `profile` stands in for the file that `costs.profile` names.
    Raises ConfigurationError where the order or the costs do not repeat.
    """
    _refuse_unsteady(experiment)
    setup, found = solve(experiment, program, profile)
    plan = setup.checked_versions(setup.program)
    pipeline = experiment.pipeline
    return {"schedule": pipeline.schedule, "mitigation": setup.mitigation.name,
            "stages": pipeline.stages, "microbatches": pipeline.microbatches,
            **as_json(found), "staleness": staleness(plan, found.pattern)}


def solve(experiment: Experiment, program: Program | None = None,
          profile: Profile | None = None) -> tuple[VirtualSetup, SteadyState]:
    """The steady state of the experiment's schedule, looked for in ever longer programs, and the
    setup it was seen in: that of so many mini-batches as show it.

    A `program` of several mini-batches is looked at as it is; a `profile` stands in for the file
    that `costs.profile` names.

    Raises ConfigurationError where none is found, the order would run out of memory, or times are
    longer than ticks count, UnsettledError where the critical cycle is not found, and
    DeadlockError where rows wait for each other for ever.
    """
    if experiment.workers.count > 1:
        raise ConfigurationError(["workers.count: the steady state is that of one worker, got "
                                  f"{experiment.workers.count}"])
    profile, setup = profile or load_profile(experiment), None
    minibatches = 2 * experiment.pipeline.stages + SHORTEST
    for _ in range(DOUBLINGS):
        _refuse_huge(replace(experiment.shape, minibatches=minibatches))
        longer, order = _longer(experiment, program, minibatches)
        setup = (setup.over(longer, order) if setup
                 else VirtualSetup.of(longer, order, profile=profile))
        whole = setup.program.validate()
        if expands(whole, setup.costs, setup.cluster):  # its waits can stop it as well
            engine_of("exact", "static")(whole, setup.costs, setup.cluster,
                                         np.random.default_rng(0))
        found = _together(whole, setup)
        if found is not None:
            _refuse_full(whole, setup.cluster)
            refuse_long(found.period_s, "a mini-batch of the endless run")
            return setup, found
        if order is not None and order is program:
            raise ConfigurationError([f"the program given: its order does not repeat within its "
                                      f"{order.shape.minibatches} mini-batches"])
        minibatches *= 2
    raise ConfigurationError([f"pipeline.schedule: the order of {experiment.pipeline.schedule} "
                              f"does not repeat within {minibatches // 2} mini-batches"])


def _together(program: Program, setup: VirtualSetup) -> SteadyState | None:
    """The steady state of a program all of which has one period, or None where none is seen.

    Raises ConfigurationError where parts of it never wait for one another.
    """
    try:
        return steady_state(program, setup.costs, setup.cluster)
    except ApartError:
        raise ConfigurationError([
            "pipeline.schedule: parts of the order never wait for one another (replicas whose "
            "updates are apart, say), so they have no common period"]) from None


def _longer(experiment: Experiment, program: Program | None, minibatches: int
            ) -> tuple[Experiment, Program | None]:
    """The experiment and the program given, of so many mini-batches.

    A program of several mini-batches is as long as it is.
    """
    if program is not None and program.shape.minibatches > 1:
        return experiment, program
    longer = experiment.changed({"pipeline.minibatches": minibatches,
                                 "pipeline.last_microbatches": None})
    return longer, None if program is None else repeated(program, minibatches)


def staleness(plan: VersionPlan, pattern: Pattern) -> dict[str, list[float]]:
    """Mean updates behind, by stage, of a pattern's forwards and of its backwards."""
    n = pattern.program.shape.microbatches
    mine = slice((pattern.first - 1) * n, (pattern.first - 1 + pattern.minibatches) * n)
    return {name: (plan.applied - read)[:, mine].mean(axis=1).tolist()
            for name, read in (("forward", plan.forward), ("backward", plan.backward))}


def _refuse_unsteady(experiment: Experiment) -> None:
    costs, problems = experiment.costs, []
    if experiment.pipeline.dispatch != "static":
        problems.append("pipeline.dispatch: a steady state needs a static order, got "
                        f"{experiment.pipeline.dispatch}")
    if costs.jitter is not None and costs.jitter.sigma:
        problems.append("costs.jitter: a steady state needs fixed costs")
    problems += [f"costs.{key}: a steady state needs fixed costs" for key in
                 ("stragglers", "trends") if getattr(costs, key)]
    if problems:
        raise ConfigurationError(problems)


def _refuse_huge(shape: PipelineShape) -> None:
    if 3 * shape.stages * shape.total > MOST:
        raise ConfigurationError([
            f"pipeline: a steady state looks at {shape.minibatches} mini-batches here, with "
            f"{shape.stages} stages and {shape.microbatches} micro-batches more than {MOST} "
            "instructions"])


def _refuse_full(program: Program, cluster: Cluster) -> None:
    """Refuse an order that would stop for want of activation memory."""
    peak = float(most_claimed(program, cluster).max())
    if peak > cluster.activation_limit_bytes:
        raise ConfigurationError([
            f"cluster.activation_limit_bytes: the order holds up to {peak:g} bytes on a device, "
            f"the limit is {cluster.activation_limit_bytes:g}"])
