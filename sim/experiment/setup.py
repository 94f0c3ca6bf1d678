"""An experiment resolved: what its tables ask for, made once and handed on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sim.errors import ConfigurationError
from sim.experiment.checks import FILE
from sim.experiment.demands.estimate import affordable
from sim.experiment.machine import Sizes, cost_model, load_profile, make_cluster, stage_sizes
from sim.experiment.making import make_combine, make_mitigation, make_optimizer
from sim.experiment.options import Experiment
from sim.experiment.splitting.stages import shared_stages, splits
from sim.kernels.pairs import NUMPY, Kernels
from sim.mitigations import Mitigation
from sim.numerics.optimizers import OptimizerKind
from sim.numerics.rate import LearningRate
from sim.numerics.stage import Stage
from sim.numerics.tasks import TASKS, Task, TaskOptions
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from sim.times.cluster import Cluster
from sim.times.costs import CostModel
from sim.times.limits import refuse_uncountable
from sim.times.profile import Profile
from sim.times.timeline import Timeline
from sim.weights.versions import VersionPlan
from sim.workers import Combine
from sim.workers.later import put_off
from sim.workers.synchronisation import copies_together, synchronised


@dataclass(frozen=True)
class Setup:
    """An experiment resolved: what both backends take from it, its order and how it learns.

    `program` is that of all workers, with the edges by which they wait for each other; `rate` is
    the learning rate by update of a stage, from 0; `kernels` is the make of the passes over the
    program's columns, which changes no number.
    """

    experiment: Experiment
    program: Program
    mitigation: Mitigation
    combine: Combine
    optimizer: OptimizerKind
    rate: LearningRate
    kernels: Kernels

    @classmethod
    def of(cls, experiment: Experiment, program: Program | None = None, *,
           kernels: Kernels = NUMPY) -> Setup:
        """The setup of an experiment; `program` stands in for its schedule's.

        Raises ConfigurationError, also where the program has another shape.
        """
        program = program or generate(experiment, kernels)
        check_shape(experiment, program)
        if len(program.pairs) and experiment.pipeline.dispatch == "greedy":
            raise ConfigurationError(["pipeline.dispatch: greedy dispatch takes passes one by one, "
                                      "and this order issues pairs; choose static"])
        combine = make_combine(experiment.workers.combine)
        program = put_off(program, _put_off(experiment, program), kernels)
        if program.several:
            program = _of_copies(experiment, program, combine)
        return Setup(experiment, synchronised(program, combine),
                     make_mitigation(experiment.pipeline.mitigation), combine,
                     make_optimizer(experiment.training.optimizer), make_rate(experiment), kernels)

    @property
    def shape(self) -> PipelineShape:
        """The shape of the program, of all workers together."""
        return self.program.shape

    def versions(self, program: Program) -> VersionPlan:
        """The versions that `program`, one worker's in the order it came to run in, reads.

        Raises ValueError where a pass would read a version that does not exist yet.
        """
        return version_plan(program, self.mitigation, self.experiment.pipeline.schedule,
                            self.kernels)

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
           profile: Profile | None = None, task: Task | None = None, *,
           kernels: Kernels = NUMPY) -> VirtualSetup:
        """The setup of an experiment; `program` stands in for its schedule's, `profile` for the
        file `costs.profile` names, and `task` is its own, where it has been made already.

        Raises ConfigurationError.
        """
        affordable(experiment, len(program) if program else rows_of(experiment), learning=False)
        rules = Setup.of(experiment, program, kernels=kernels)
        profile = profile or load_profile(experiment)
        task = task or make_task(experiment)
        sizes = stage_sizes(experiment, profile, task)
        costs = cost_model(experiment, profile)
        if splits(experiment):
            costs, sizes = shared_stages(experiment, profile, costs, sizes, rules.program)
        homes = rules.program.copies.homes if rules.program.several else None
        cluster = make_cluster(experiment, profile, sizes, rules.combine, homes)
        refuse_uncountable(rules.program, costs, cluster)
        return VirtualSetup(**vars(rules), profile=profile, task=task, sizes=sizes, costs=costs,
                            cluster=cluster)

    def over(self, experiment: Experiment, program: Program | None = None) -> VirtualSetup:
        """The setup of an experiment that differs in its number of mini-batches alone; `program`
        stands in for its schedule's.

        Raises ConfigurationError.
        """
        return replace(self, **vars(Setup.of(experiment, program, kernels=self.kernels)))


@dataclass(frozen=True)
class Timed:
    """A setup with its times, and the versions every pass reads.

    Greedy dispatch lets times change the order, so versions come last.
    `plan` is that of each worker's own program, which is the timeline's where there is one worker.
    """

    setup: VirtualSetup
    timeline: Timeline
    plan: VersionPlan


def generate(experiment: Experiment, kernels: Kernels = NUMPY) -> Program:
    """The program that the experiment's schedule makes for its shape.

    Raises ConfigurationError where the schedule stands for a program from a file.
    """
    pipeline = experiment.pipeline
    if pipeline.schedule == FILE:
        raise ConfigurationError([f"pipeline.schedule: {FILE!r} stands for a program that is "
                                  "given; run --program FILE does"])
    return SCHEDULES[pipeline.schedule].program(experiment.shape, kernels)


def rows_of(experiment: Experiment) -> int:
    """How many instructions the experiment's program has: on each stage a forward and a backward
    of every micro-batch, and an update of every mini-batch."""
    shape = experiment.shape
    return shape.stages * (2 * shape.total + shape.minibatches)


def _of_copies(experiment: Experiment, program: Program, combine: Combine) -> Program:
    """A program in which stages have several homes, with what `workers.copies` makes copies wait.

    Raises ConfigurationError where something in the experiment takes one home a stage.
    """
    problems = []
    if experiment.pipeline.dispatch == "greedy":
        problems.append("pipeline.dispatch: greedy dispatch takes one home a stage; choose static")
    if combine.acts_alone:
        problems.append(f"workers.combine: {combine.name} takes one home a stage; choose "
                        "all-reduce")
    if problems:
        raise ConfigurationError(problems)
    return program if experiment.workers.copies == "apart" else copies_together(program)


KEYS = {"worker_devices": "ranks", "total": "last_microbatches"}  # that a size of a shape is set by


def check_shape(experiment: Experiment, program: Program) -> None:
    """Refuse a program of another shape than the experiment's.  Raises ConfigurationError."""
    shape = program.shape
    asked, names = experiment.shape, ["stages", "minibatches", "microbatches"]
    if all(getattr(shape, name) == getattr(asked, name) for name in names):  # what follows of them
        names += ["total"] if asked.ranks is None else ["total", "worker_devices"]
    problems = [f"pipeline.{KEYS.get(name, name)}: the program given has {getattr(shape, name)}, "
                f"got {getattr(asked, name)}" for name in names
                if getattr(shape, name) != getattr(asked, name)]
    if shape.workers != experiment.workers.count:
        problems.append(f"workers.count: the program given has {shape.workers}, got "
                        f"{experiment.workers.count}")
    if problems:
        raise ConfigurationError(problems)


def _put_off(experiment: Experiment, program: Program) -> set[int]:
    """Stages whose updates wait while their device goes on: those that are tied, and all where
    exchanges run beside computing."""
    if experiment.workers.overlap and (program.shape.workers > 1 or program.several):
        return set(range(experiment.pipeline.stages))
    return {stage for tie in experiment.cluster.tied for stage in tie.stages}


def version_plan(program: Program, mitigation: Mitigation, schedule: str,
                 kernels: Kernels = NUMPY) -> VersionPlan:
    """The versions every pass of a program reads; the one place where they are planned.

    Raises ValueError where a pass would read a version that does not exist yet.
    """
    return VersionPlan.of(program, mitigation, schedule, kernels)


def make_task(experiment: Experiment) -> Task | None:
    """The problem an experiment trains on; None where only times and versions are asked for."""
    t = experiment.training
    if t.task == "none":
        return None
    options = TaskOptions(t.batch_size, t.width, t.layers, t.seed, tuple(t.curvatures))
    return TASKS[t.task].make(experiment.shape, options)


def make_rate(experiment: Experiment) -> LearningRate:
    """The experiment's learning rate, called with the number of an update of a stage, from 0.

    A schedule spans the updates that a stage does itself: one for each mini-batch of its worker.
    """
    training, schedule = experiment.training, experiment.training.rate_schedule
    return LearningRate(training.learning_rate, schedule.name,
                        experiment.shape.of_worker.minibatches, schedule.every, schedule.factor,
                        schedule.warmup)


def make_stages(setup: Setup, plan: VersionPlan, task: Task,
                rate: Callable[[int], Any] | None = None) -> list[Stage[Any]]:
    """The stages to train, one `Stage` each, around the task's models and first weights.

    The learning rate by update index is the experiment's unless given.
    """
    pipeline, training = setup.experiment.pipeline, setup.experiment.training
    return [
        Stage(k, model, weights,
              setup.optimizer.start(training.momentum, training.convention, np.zeros_like(weights)),
              plan, rate or setup.rate, backward=pipeline.backward, distances=training.distances,
              unit_horizons=plan.unit_horizons(k))
        for k, (model, weights) in enumerate(zip(task.models, task.weights, strict=True))
    ]
