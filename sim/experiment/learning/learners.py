"""What training steps: a stage each, or, where a stage has several homes or workers, its copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sim.experiment.setup import Setup, make_stages
from sim.numerics.gradients import RoundSums
from sim.numerics.homes import Apart, Combined, Homes, learnt_by, round_sums
from sim.numerics.rate import LearningRate
from sim.numerics.stage import Copy, Stage
from sim.numerics.tasks import Task
from sim.numerics.training import Learning
from sim.weights.versions import VersionPlan
from sim.workers.all_reduce import AllReduce
from sim.workers.copies import Copies


def learners(setup: Setup, plan: VersionPlan, task: Task
             ) -> tuple[Sequence[Any], list[Sequence[Any]]]:
    """What training steps, by stage, and every worker's own stages, which measure what they do.

    Of a program in which stages have several homes both are a worker's `Homes`.
    """
    if plan.program.several:
        stages = make_homes(setup, plan, task)
        return stages, [stages]
    crews = [make_stages(setup, plan, task) for _ in range(setup.shape.workers)]
    return together(setup, crews), list(crews)


def together(setup: Setup, crews: Sequence[Sequence[Stage[Any]]]) -> Sequence[Learning]:
    """The stages training steps: one worker's own, or each stage's copies on several workers.

    `crews` are the stages of each worker.
    """
    if len(crews) == 1 and setup.combine == AllReduce():  # the mean of one: nothing to exchange
        return crews[0]
    shape = setup.experiment.shape
    return [Copies(copies, setup.combine.exchange(copies, shape), shape)
            for copies in zip(*crews, strict=True)]


def make_homes(setup: Setup, plan: VersionPlan, task: Task) -> list[Homes]:
    """The stages to train of a program in which some have several homes: each with its copies.

    `workers.copies` says whether those combine their gradients.
    """
    rule = setup.experiment.workers.copies
    sums = round_sums(plan, rule)
    stages = [_copy_of_stage(setup, plan, task, number, own, rule == "apart")
              for number, own in sums.items()]
    return as_homes(plan, rule, stages, sums)


def as_homes(plan: VersionPlan, rule: str, stages: Sequence[Stage[Any]],
             sums: dict[int, RoundSums]) -> list[Homes]:
    """All stages as training steps them, from their copies and where each adds its gradients up.

    `rule` is that by which copies combine, `all-reduce` or `apart`.
    """
    return [_homes(plan, stage, rule, stages, sums) for stage in range(plan.program.shape.stages)]


def _homes(plan: VersionPlan, stage: int, rule: str, stages: Sequence[Stage[Any]],
           sums: dict[int, RoundSums]) -> Homes:
    copies, n = plan.program.copies, plan.program.shape.microbatches
    numbers = copies.of_stage(stage)
    mine, of = {each: stages[each] for each in numbers}, copies.of[stage]
    if rule == "apart":
        return Apart(mine, of, {each: sums[each] for each in numbers},
                     {each: copies.minibatches(each, n).tolist() for each in numbers})
    return Combined(mine, of, sums[numbers[0]], learnt_by(plan, stage))


def _copy_of_stage(setup: Setup, plan: VersionPlan, task: Task, copy: int, sums: RoundSums,
                   apart: bool) -> Stage[Any]:
    """One copy of a stage before its first update, whose gradients `sums` adds up.

    `apart` says whether those are its own alone.
    """
    pipeline, training = setup.experiment.pipeline, setup.experiment.training
    k = int(plan.program.copies.stage[copy])
    weights = task.weights[k]
    optimizer = setup.optimizer.start(training.momentum, training.convention,
                                      np.zeros_like(weights))
    return Stage(k, task.models[k], weights, optimizer, plan, copy_rate(setup, plan, copy),
                 backward=pipeline.backward, distances=training.distances,
                 unit_horizons=plan.unit_horizons(k),
                 copy=Copy(copy, plan.program.copies.does(copy).tolist(), sums, apart))


def copy_rate(setup: Setup, plan: VersionPlan, copy: int) -> LearningRate:
    """The learning rate of a copy's updates: a schedule spans those that it does itself."""
    program = plan.program
    return replace(setup.rate,
                   updates=len(program.copies.minibatches(copy, program.shape.microbatches)))
