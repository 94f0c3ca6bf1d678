"""An experiment resolved: what its tables ask for, made once and handed on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sim.errors import ConfigurationError
from sim.experiment.checks import FILE
from sim.experiment.machine import Sizes, cost_model, load_profile, make_cluster, stage_sizes
from sim.experiment.making import make_combine, make_mitigation
from sim.experiment.options import Experiment
from sim.mitigations import Mitigation
from sim.numerics.optimizers import LearningRate, MomentumSGD
from sim.numerics.stage import Stage
from sim.numerics.tasks import TASKS, Task, TaskOptions
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from sim.times.cluster import Cluster
from sim.times.costs import CostModel
from sim.times.engine import Timeline
from sim.times.profile import Profile
from sim.weights.versions import VersionPlan
from sim.workers import Combine
from sim.workers.synchronisation import synchronised


@dataclass(frozen=True)
class Setup:
    """What both backends take from an experiment: its order, and the rules by which it learns.

    `program` is that of all workers, with the edges by which they wait for each other; `rate` is
    the learning rate by update of a stage, from 0.
    """

    experiment: Experiment
    program: Program
    mitigation: Mitigation
    combine: Combine
    rate: LearningRate

    @classmethod
    def of(cls, experiment: Experiment, program: Program | None = None) -> Setup:
        """The setup of an experiment; `program` stands in for its schedule's.

        Raises ConfigurationError, also where the program has another shape.
        """
        program = program or generate(experiment)
        check_shape(experiment, program)
        combine = make_combine(experiment.workers.combine)
        return Setup(experiment, synchronised(program, combine),
                     make_mitigation(experiment.pipeline.mitigation), combine,
                     make_rate(experiment))

    @property
    def shape(self) -> PipelineShape:
        """The program's: of all workers together."""
        return self.program.shape

    def versions(self, program: Program) -> VersionPlan:
        """The versions that `program`, one worker's in the order it came to run in, reads.

        Raises ValueError where a pass would read a version that does not exist yet.
        """
        return version_plan(program, self.mitigation, self.experiment.pipeline.schedule)

    def checked_versions(self, program: Program) -> VersionPlan:
        """The versions that `program`, one worker's, reads.

        Raises ConfigurationError at the mitigation's key where one does not exist yet.
        """
        try:
            return self.versions(program)
        except ValueError as error:
            raise ConfigurationError([f"pipeline.mitigation: {error}"]) from None


@dataclass(frozen=True)
class VirtualSetup(Setup):
    """A setup in virtual time: with the task (None: nothing is learnt), and what its machine
    takes for every instruction, sends between stages and has room for."""

    profile: Profile | None
    task: Task | None
    sizes: Sizes
    costs: CostModel
    cluster: Cluster

    @classmethod
    def of(cls, experiment: Experiment, program: Program | None = None,
           profile: Profile | None = None, task: Task | None = None) -> VirtualSetup:
        """The setup of an experiment; `program` stands in for its schedule's, `profile` for the
        file `costs.profile` names, and `task` is its own, where it has been made already.

        Raises ConfigurationError.
        """
        rules = Setup.of(experiment, program)
        profile = profile or load_profile(experiment)
        task = task or make_task(experiment)
        sizes = stage_sizes(experiment, profile, task)
        return VirtualSetup(**vars(rules), profile=profile, task=task, sizes=sizes,
                            costs=cost_model(experiment, profile),
                            cluster=make_cluster(experiment, profile, sizes, rules.combine))

    def over(self, experiment: Experiment) -> VirtualSetup:
        """The setup of an experiment that differs in its number of mini-batches alone."""
        return replace(self, **vars(Setup.of(experiment)))


@dataclass(frozen=True)
class Timed:
    """A setup with its times, and the versions of the order they left: greedy dispatch changes
    it, so versions come last.

    `plan` is that of each worker's own program, which is the timeline's where there is one worker.
    """

    setup: VirtualSetup
    timeline: Timeline
    plan: VersionPlan


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


def version_plan(program: Program, mitigation: Mitigation, schedule: str) -> VersionPlan:
    """The one place where versions are planned.  Raises ValueError as `VersionPlan.of` does."""
    return VersionPlan.of(program, mitigation, schedule)


def make_task(experiment: Experiment) -> Task | None:
    """The problem to train on; None for timing and versions alone."""
    t = experiment.training
    if t.task == "none":
        return None
    options = TaskOptions(t.batch_size, t.width, t.layers, t.seed, tuple(t.curvatures))
    return TASKS[t.task].make(experiment.shape, options)


def make_rate(experiment: Experiment) -> LearningRate:
    """The learning rate by update index."""
    training, schedule = experiment.training, experiment.training.rate_schedule
    return LearningRate(training.learning_rate, schedule.name, experiment.pipeline.minibatches,
                        schedule.every, schedule.factor, schedule.warmup)


def make_optimizer(experiment: Experiment, weights: Any) -> MomentumSGD:
    """The optimizer of one stage, for weights of this shape."""
    training = experiment.training
    return MomentumSGD(training.momentum, training.convention, np.zeros_like(weights))


def make_stages(setup: Setup, plan: VersionPlan, task: Task) -> list[Stage]:
    """One `Stage` per stage, around the task's models and first weights."""
    experiment = setup.experiment
    return [
        Stage(k, model, weights, make_optimizer(experiment, weights), plan, setup.rate,
              backward=experiment.pipeline.backward, distances=experiment.training.distances,
              unit_horizons=plan.unit_horizons(k))
        for k, (model, weights) in enumerate(zip(task.models, task.weights, strict=True))
    ]
