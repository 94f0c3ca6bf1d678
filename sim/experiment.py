"""One experiment from configuration to trace: order, then times, then weights."""

from __future__ import annotations

from dataclasses import dataclass

from threadpoolctl import threadpool_limits

from sim.configuration import FILE, ConfigurationError, Experiment, make_mitigation
from sim.contention import contended, contends
from sim.engine import Timeline, simulate
from sim.numeric import Task, stream
from sim.profile import Profile
from sim.program import Program
from sim.recording import record
from sim.schedules import SCHEDULES
from sim.setup import (
    Sizes,
    cost_model,
    load_profile,
    make_cluster,
    make_stages,
    make_task,
    stage_sizes,
)
from sim.stage import Stage
from sim.trace import Trace
from sim.training import Watch, train
from sim.validate import execution_order
from sim.versions import VersionPlan


def run(experiment: Experiment, program: Program | None = None, *, training: bool = True,
        watch: Watch | None = None, profile: Profile | None = None) -> Trace:
    """Simulate one experiment, or a given program under its costs, mitigation and task.

    Without `training` times and versions alone; the task still gives the sizes.  A `profile`
    given here stands in for the file `costs.profile` names.

    Raises ConfigurationError, InvalidProgramError or DeadlockError.
    """
    ready = prepare(experiment, program or generate(experiment), profile)
    stages: list[Stage] = []
    result = None
    if ready.task and training:
        stages = make_stages(experiment, ready.plan, ready.task)
        program = ready.plan.program
        with threadpool_limits(1):  # sums in one order whatever the machine's cores
            result = train(execution_order(program), stages, ready.task, program,
                           evaluate_every=experiment.training.evaluate_every, watch=watch)
    return record(experiment, ready.timeline, ready.plan, stages, result, ready.sizes)


@dataclass(frozen=True)
class Prepared:
    """An experiment with everything but its weights: task, sizes, times, versions."""

    experiment: Experiment
    task: Task | None
    sizes: Sizes
    timeline: Timeline
    plan: VersionPlan


def prepare(experiment: Experiment, program: Program, profile: Profile | None = None,
            *, timeline: Timeline | None = None, task: Task | None = None) -> Prepared:
    """Task and times (unless given), sizes and versions.  Raises as `run` does."""
    check_shape(experiment, program)
    profile = profile or load_profile(experiment)
    task = task or make_task(experiment)
    sizes = stage_sizes(experiment, profile, task)
    timeline = timeline or add_times(experiment, program, profile, sizes)
    try:
        plan = VersionPlan.of(timeline.program, make_mitigation(experiment.pipeline.mitigation),
                              experiment.pipeline.schedule)
    except ValueError as error:
        raise ConfigurationError([f"pipeline.mitigation: {error}"]) from None
    return Prepared(experiment, task, sizes, timeline, plan)


def add_times(experiment: Experiment, program: Program, profile: Profile | None, sizes: Sizes
              ) -> Timeline:
    """Simulate; where profiled stages share hardware a second time, slowed by each other."""
    costs, cluster = cost_model(experiment, profile), make_cluster(experiment, profile, sizes)
    seed, dispatch = experiment.training.seed, experiment.pipeline.dispatch
    alone = simulate(program, costs, cluster, stream(seed, "jitter"), dispatch)
    if profile is None or not contends(profile):
        return alone
    return simulate(program, contended(costs, profile, alone), cluster, stream(seed, "jitter"),
                    dispatch)


def generate(experiment: Experiment) -> Program:
    """The program of the experiment's schedule.  Raises ConfigurationError."""
    pipeline = experiment.pipeline
    if pipeline.schedule == FILE:
        raise ConfigurationError([f"pipeline.schedule: {FILE!r} stands for a program that is "
                                  "given; run --program FILE does"])
    return SCHEDULES[pipeline.schedule].program(pipeline.shape)


def check_shape(experiment: Experiment, program: Program) -> None:
    """Refuse a program of another shape than the experiment's.  Raises ConfigurationError."""
    shape, pipeline = program.shape, experiment.pipeline
    problems = [f"pipeline.{name}: the program given has {getattr(shape, name)}, got "
                f"{getattr(pipeline, name)}" for name in ("stages", "minibatches", "microbatches")
                if getattr(shape, name) != getattr(pipeline, name)]
    if problems:
        raise ConfigurationError(problems)
