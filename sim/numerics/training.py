"""Training through a program: every pass on the weights the program gives it.

Only the order of the program matters here, never a time, so costs cannot change a weight.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from sim.arrays import Floats
from sim.numerics.tasks import Evaluation, Task
from sim.op import Op

Watch = Callable[[int, int, Any], None]


class Learning(Protocol):
    """A stage as training steps it: a `Stage`, or the copies of one on several workers.

    Weights are (parameters,); micro-batches and mini-batches count from 0 over the whole run.
    """

    @property
    def weights(self) -> Any:
        """The weights the last update made."""

    @property
    def version(self) -> int:
        """How many updates made those weights."""

    @property
    def learnt(self) -> Any:
        """The weights to judge the stage by."""

    def points(self, minibatch: int, every: int) -> Iterable[tuple[int, Any]]:
        """The points of a curve that the update of a mini-batch, just done, completes.

        A point comes after `every` mini-batches each: how many are done there, and the weights to
        judge the stage by, (parameters,), once those have been learnt and no other.
        """

    def forward(self, index: int, inputs: Any, target: Any = None) -> Any:
        """The forward of micro-batch `index`: what the next stage gets, or the mean loss."""

    def backward(self, index: int, gradient: Any) -> Any:
        """The backward of micro-batch `index`: the gradient of its input."""

    def update(self, minibatch: int) -> None:
        """Apply the gradient of a mini-batch."""


@dataclass
class TrainingResult:
    """What training through a program gave.

    `loss` is each mini-batch's mean loss as its forwards saw it, shape (mini-batches,),
    `evaluated` how many mini-batches every stage had learnt from at each evaluation, ascending,
    `diverged_at` the first mini-batch (from 1) with a loss that is not finite, or the last where
    the norm of the final weights is not (None: neither), `examples` how many the training set has
    (None: no such set).  Of replicas side by side `loss` and the numbers of an evaluation have one
    more axis, the last.
    """

    loss: Floats
    final: Evaluation
    evaluated: list[int] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    diverged_at: int | None = None
    examples: int | None = None


def train(
    program_rows: Sequence[int],
    stages: Sequence[Learning],
    task: Task,
    program: Any,
    *,
    evaluate_every: int = 0,
    watch: Watch | None = None,
) -> TrainingResult:
    """Train by stepping `stages` through the rows of `program`, in the given executable order.

    `watch(stage, version, weights)` sees every update.  Every so many mini-batches, if
    `evaluate_every` is not 0, the task judges the weights that those so far have made; of several
    workers the weights they have learnt together.
    Non-finite numbers are a result, not an error: the run goes on and `diverged_at` says when
    they came.
    """
    result = step_through(program_rows, stages, task, program, evaluate_every=evaluate_every,
                          watch=watch)
    result.diverged_at = divergence(result.loss, [stage.learnt for stage in stages])
    return result


def step_through(rows: Sequence[int], stages: Sequence[Any], task: Task, program: Any, *,
                 evaluate_every: int = 0, watch: Watch | None = None) -> TrainingResult:
    """Train as `train` does, one run or replicas side by side, and leave `diverged_at` open.

    `stages` are `Learning` ones, `program` is a `Program` whose `rows` are executed in that order.
    """
    run = _Run(program, stages, task, evaluate_every, watch)
    with np.errstate(all="ignore"):
        run.go(rows)
        final = task.evaluate([stage.learnt for stage in stages])
    return TrainingResult(np.array(run.loss), final, run.evaluated, run.evaluations,
                          examples=getattr(task, "examples", None))


def divergence(loss: Floats, weights: Sequence[Any]) -> int | None:
    """The mini-batch (from 1) at which numbers were no longer finite; None: they stayed so.

    `loss` by mini-batch, `weights` the last ones of every stage, each (parameters,).
    """
    strange = np.flatnonzero(~np.isfinite(loss))
    if strange.size:
        return int(strange[0]) + 1
    with np.errstate(all="ignore"):
        whole = all(math.isfinite(float(each @ each)) for each in weights)
    return None if whole else len(loss)


class _Run:
    """The messages in flight and the snapshots under way of one training run."""

    def __init__(self, program: Any, stages: Sequence[Any], task: Task, every: int,
                 watch: Watch | None) -> None:
        self.program, self.stages, self.task = program, stages, task
        self.every, self.watch = every, watch
        self.activations: dict[tuple[int, int], Any] = {}
        self.gradients: dict[tuple[int, int], Any] = {}
        shape = program.shape
        self.per_minibatch = shape.microbatches
        self.sizes = [shape.size_of(minibatch) for minibatch in range(shape.minibatches)]
        self.losses: list[Any] = [0.0] * shape.total  # each divided by its mini-batch's size
        self.copies = program.copy_of_rows.tolist() if program.several else None
        self.evaluated: list[int] = []
        self.evaluations: list[Evaluation] = []
        self.snapshots: dict[int, dict[int, Any]] = {}

    def go(self, rows: Sequence[int]) -> None:
        ops, stage, index, count = (column.tolist() for column in self.program.rows)
        do = {Op.F: self.forward, Op.B: self.backward, Op.I: self.backward, Op.U: self.update}
        for row in rows:
            step = do.get(ops[row])
            if step is not None:
                step(stage[row], index[row], count[row], row)

    def forward(self, k: int, index: int, count: int, row: int) -> None:
        inputs = self.activations.pop((k, index)) if k else self.task.inputs(index)
        if k + 1 < len(self.stages):
            self.activations[k + 1, index] = self.stages[k].forward(index, inputs)
            return
        loss = self.stages[k].forward(index, inputs, self.task.target(index))
        n = self.sizes[index // self.per_minibatch]
        self.losses[index] = (loss if isinstance(loss, np.ndarray) else float(loss)) / n
        self.gradients[k, index] = 1.0 / n

    def backward(self, k: int, index: int, count: int, row: int) -> None:
        for each in range(index, index + count):
            passed_on = self.stages[k].backward(each, self.gradients.pop((k, each)))
            if k:
                self.gradients[k - 1, each] = passed_on

    def update(self, k: int, index: int, count: int, row: int) -> None:
        minibatch, stage = index // self.per_minibatch, self.stages[k]
        if self.copies is None:
            stage.update(minibatch)
        else:
            stage.update(minibatch, self.copies[row])
        if self.watch is not None:
            self.watch(k, stage.version, stage.weights)
        if self.every:
            for done, weights in stage.points(minibatch, self.every):
                self.snapshot(done, k, weights)

    @property
    def loss(self) -> list[Any]:
        """Each mini-batch's mean loss, its micro-batches' added up in their order: the same bits in
        whatever order they ran."""
        n = self.per_minibatch
        return [sum(self.losses[first + 1 : first + n], self.losses[first])
                for first in range(0, len(self.losses), n)]

    def snapshot(self, done: int, k: int, weights: Any) -> None:
        """Stage `k` after `done` mini-batches; once all stages are there they are judged."""
        found = self.snapshots.setdefault(done, {})
        found[k] = weights
        if len(found) == len(self.stages):
            del self.snapshots[done]
            self.evaluated.append(done)
            self.evaluations.append(self.task.evaluate([found[k] for k in sorted(found)]))
