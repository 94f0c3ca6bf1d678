"""One experiment from configuration to trace: order, then times, then weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from threadpoolctl import threadpool_limits

from sim.errors import ConfigurationError, DeadlockError
from sim.experiment.configuration import FILE, make_combine, make_mitigation
from sim.experiment.options import Experiment
from sim.experiment.recording import record
from sim.experiment.setup import (
    Sizes,
    cost_model,
    load_profile,
    make_cluster,
    make_stages,
    make_task,
    stage_sizes,
)
from sim.numerics.stage import Stage
from sim.numerics.tasks import Task, stream
from sim.numerics.training import Learning, Watch, train
from sim.order.check import execution_order
from sim.order.program import Program
from sim.order.replicated import own_program
from sim.schedules import SCHEDULES
from sim.times.contention import contended, contends
from sim.times.engine import Timeline
from sim.times.engines import engine_of
from sim.times.profile import Profile
from sim.trace import Trace
from sim.weights.versions import VersionPlan
from sim.workers.all_reduce import AllReduce
from sim.workers.copies import Copies
from sim.workers.synchronisation import synchronised


def run(experiment: Experiment, program: Program | None = None, *, training: bool = True,
        watch: Watch | None = None, profile: Profile | None = None, engine: str = "auto"
        ) -> Trace:
    """Simulate one experiment, or a given program under its costs, mitigation and task.

    Without `training` times and versions alone; the task still gives the sizes.  A `profile`
    given here stands in for the file `costs.profile` names.  `engine` is one of
    `sim.times.engines.ENGINES`; it changes no number.

    Raises ConfigurationError, InvalidProgramError or DeadlockError.
    """
    ready = prepare(experiment, program or generate(experiment), profile, engine=engine)
    crews: list[list[Stage[Any]]] = []
    result = None
    if ready.task and training:
        crews = [make_stages(experiment, ready.plan, ready.task)
                 for _ in range(experiment.workers.count)]
        whole = ready.timeline.program
        with threadpool_limits(1):  # sums in one order whatever the machine's cores
            result = train(execution_order(whole), together(experiment, crews), ready.task, whole,
                           evaluate_every=experiment.training.evaluate_every, watch=watch)
    measures = [[stage.measures for stage in crew] for crew in crews]
    return record(experiment, ready.timeline, ready.plan, measures, result, ready.sizes)


@dataclass(frozen=True)
class Prepared:
    """An experiment with everything but its weights: task, sizes, times, versions.

    `plan` is that of each worker's own program, which is the timeline's where there is one worker.
    """

    experiment: Experiment
    task: Task | None
    sizes: Sizes
    timeline: Timeline
    plan: VersionPlan


def prepare(experiment: Experiment, program: Program, profile: Profile | None = None, *,
            timeline: Timeline | None = None, task: Task | None = None, engine: str = "auto"
            ) -> Prepared:
    """Task and times (unless given), sizes and versions.  Raises as `run` does."""
    check_shape(experiment, program)
    program = synchronised(program, make_combine(experiment.workers.combine))
    profile = profile or load_profile(experiment)
    task = task or make_task(experiment)
    sizes = stage_sizes(experiment, profile, task)
    try:
        timeline = timeline or add_times(experiment, program, profile, sizes, engine)
    except DeadlockError:
        if program.shape.workers > 1:
            program.validate()  # a rule can ask for what the order gives later: say so then
        raise
    try:
        plan = VersionPlan.of(own_program(timeline.program),
                              make_mitigation(experiment.pipeline.mitigation),
                              experiment.pipeline.schedule)
    except ValueError as error:
        raise ConfigurationError([f"pipeline.mitigation: {error}"]) from None
    return Prepared(experiment, task, sizes, timeline, plan)


def together(experiment: Experiment, crews: Sequence[Sequence[Stage[Any]]]) -> Sequence[Learning]:
    """The stages training steps: one worker's own, or the copies of each on several workers."""
    rule, shape = make_combine(experiment.workers.combine), experiment.shape
    if len(crews) == 1 and rule == AllReduce():  # the mean of one: nothing to exchange
        return crews[0]
    return [Copies(copies, rule.exchange(copies, shape), shape)
            for copies in zip(*crews, strict=True)]


def add_times(experiment: Experiment, program: Program, profile: Profile | None, sizes: Sizes,
              engine: str = "auto") -> Timeline:
    """Simulate; where profiled stages share hardware a second time, slowed by each other."""
    costs, cluster = cost_model(experiment, profile), make_cluster(experiment, profile, sizes)
    seed, dispatch = experiment.training.seed, experiment.pipeline.dispatch
    simulate = engine_of(engine, dispatch)
    alone = simulate(program, costs, cluster, stream(seed, "jitter"))
    if profile is None or not contends(profile):
        return alone
    if program.shape.workers > 1:
        raise ConfigurationError(["costs.profile: its stages share hardware, which is known for "
                                  f"one worker, got {program.shape.workers} workers"])
    return simulate(program, contended(costs, profile, alone), cluster, stream(seed, "jitter"))


def generate(experiment: Experiment) -> Program:
    """The program of the experiment's schedule.  Raises ConfigurationError."""
    pipeline = experiment.pipeline
    if pipeline.schedule == FILE:
        raise ConfigurationError([f"pipeline.schedule: {FILE!r} stands for a program that is "
                                  "given; run --program FILE does"])
    return SCHEDULES[pipeline.schedule].program(experiment.shape)


def check_shape(experiment: Experiment, program: Program) -> None:
    """Refuse a program of another shape than the experiment's.  Raises ConfigurationError."""
    shape, pipeline = program.shape, experiment.pipeline
    names = ("stages", "minibatches", "microbatches")
    problems = [f"pipeline.{name}: the program given has {getattr(shape, name)}, got "
                f"{getattr(pipeline, name)}" for name in names
                if getattr(shape, name) != getattr(pipeline, name)]
    if shape.workers != experiment.workers.count:
        problems.append(f"workers.count: the program given has {shape.workers}, got "
                        f"{experiment.workers.count}")
    if problems:
        raise ConfigurationError(problems)
