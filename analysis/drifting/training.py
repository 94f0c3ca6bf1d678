"""Training through a run whose layers may move: what has been learnt goes along with them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from analysis.drifting.course import Course, Cut
from analysis.drifting.policies import PolicyRun
from analysis.drifting.problem import DriftProblem
from sim.arrays import Floats
from sim.experiment.setup import make_stages, version_plan
from sim.numerics.model import StageModel
from sim.numerics.stage import Stage
from sim.numerics.tasks import Evaluation, Task
from sim.numerics.tasks.mlp import MlpStage
from sim.numerics.training import divergence, train
from sim.order.check import execution_order
from sim.order.program import Program
from sim.order.shape import PipelineShape


@dataclass
class PieceOfTask:
    """A task from some micro-batch on, its layers on other stages: a `Task`.

    `models` and `weights`, each (parameters,), go by stage; `first` is the number of its first
    micro-batch in `whole`, which judges what is learnt.
    """

    whole: Task
    models: Sequence[StageModel]
    weights: Sequence[Floats]
    first: int

    def inputs(self, micro_batch: int) -> Any:
        """What stage 0 gets of a micro-batch, from 0 in this piece."""
        return self.whole.inputs(self.first + micro_batch)

    def target(self, micro_batch: int) -> Any:
        """What the last stage compares its output with."""
        return self.whole.target(self.first + micro_batch)

    def evaluate(self, weights: Sequence[Any]) -> Evaluation:
        """How good these weights are, one vector (parameters,) a stage of this piece."""
        return self.whole.evaluate(split_like(self.whole.weights, weights))


@dataclass(frozen=True)
class Learnt:
    """What training through a run gave: the mean loss of each mini-batch, (mini-batches,), how
    good the last weights are, those weights by stage, and the first mini-batch (from 1) whose
    numbers were not finite (None: all were)."""

    loss: Floats
    final: Evaluation
    weights: list[Any]
    diverged_at: int | None


def learn(problem: DriftProblem, run: PolicyRun) -> Learnt | None:
    """Train the problem's task through a run; None where nothing is learnt.

    Between pieces of a run the pipeline is drained, so that a stage's newest weights and its
    optimizer's arrays are all there is to take along.
    """
    task = problem.task
    if task is None:
        return None
    shape, losses, stages = problem.setup.shape, [], None
    for piece in run.pieces:
        first = piece.legs[0].first
        part = PieceOfTask(task, models(problem, piece.legs[0].cut), task.weights,
                           first * shape.microbatches)
        stages, result = _through(problem, run, piece, part, stages)
        losses.append(result.loss)
    assert stages is not None
    loss, weights = np.concatenate(losses), [stage.learnt for stage in stages]
    return Learnt(loss, result.final, weights, divergence(loss, weights))


def _through(problem: DriftProblem, run: PolicyRun, piece: Course, part: PieceOfTask,
             before: Sequence[Stage[Any]] | None) -> tuple[list[Stage[Any]], Any]:
    """Train through one piece, from what the stages `before` have learnt, in other hands then."""
    setup, first = run.timed.setup, piece.legs[0].first
    whole = piece.minibatches == setup.shape.minibatches
    program = run.timed.timeline.program if whole else _alone(piece, setup.shape)
    plan = version_plan(program, setup.mitigation, setup.experiment.pipeline.schedule)
    start = [stage.learnt for stage in before or ()] or part.whole.weights
    sizes = [np.empty(model.parameters) for model in models(problem, piece.legs[0].cut)] if (
        piece.legs[0].cut) else part.whole.weights
    part = PieceOfTask(part.whole, part.models, split_like(sizes, start), part.first)
    stages = make_stages(setup, plan, part, lambda update: setup.rate(update + first))
    if before is not None:
        hand_on(before, stages)
    with threadpool_limits(1), np.errstate(all="ignore"):
        return stages, train(execution_order(program), stages, part, program)


def _alone(piece: Course, shape: PipelineShape) -> Program:
    """A piece's own program, whose mini-batches count from 0."""
    start = piece.legs[0].first
    shifted = Course(tuple(leg.earlier(start) for leg in piece.legs))
    return shifted.program(PipelineShape(shape.stages, piece.minibatches, shape.microbatches))


def models(problem: DriftProblem, cut: Cut) -> Sequence[Any]:
    """The models of the stages where they have so many layers each; () as the task has them."""
    task, sizes = problem.task, problem.task_sizes
    assert task is not None
    if not cut:
        return task.models
    ends = [0, *itertools.accumulate(cut)]
    return [MlpStage(sizes[a : b + 1], a == 0, b == len(sizes) - 1)
            for a, b in itertools.pairwise(ends)]


def split_like(sizes: Sequence[Any], vectors: Sequence[Any]) -> list[Any]:
    """The numbers of `vectors`, one after another, in vectors as long as those of `sizes`; the
    very same where they are that already."""
    if [len(each) for each in sizes] == [len(each) for each in vectors]:
        return list(vectors)
    ends = np.cumsum([len(each) for each in sizes])[:-1]
    return [part.copy() for part in np.split(np.concatenate(vectors), ends)]


def hand_on(before: Sequence[Stage[Any]], stages: Sequence[Stage[Any]]) -> None:
    """Give each of `stages` what the optimizers of those before had of its weights: arrays are
    cut anew, numbers are the same on all stages of a drained pipeline."""
    weights = [stage.weights for stage in stages]
    first: Any = before[0].optimizer
    for name in [each.name for each in fields(first)] if is_dataclass(first) else vars(first):
        values = [getattr(stage.optimizer, name) for stage in before]
        if isinstance(values[0], np.ndarray):
            values = split_like(weights, values)
        for stage, value in zip(stages, values, strict=True):
            setattr(stage.optimizer, name, value)
