"""Experiments by their bare keys, and the numbers of a trace by what they belong to."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.experiment.configuration import resolve
from sim.experiment.options import Experiment
from sim.experiment.run import run
from sim.experiment.setup import make_task
from sim.op import Op, among
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from sim.trace import Trace

TINY = {"task": "digits-mlp", "width": 6, "batch_size": 8}
TIMES = {"task": "none"}


def experiment(**keys: Any) -> Experiment:
    """A checked experiment; a key goes to the one section that has it."""
    document: dict[str, dict[str, Any]] = {}
    for key, value in keys.items():
        (home,) = [name for name, section in Experiment.model_fields.items()
                   if key in section.annotation.model_fields]
        document.setdefault(home, {})[key] = value
    return resolve(document)


def simulate(program: Program | None = None, **keys: Any) -> Trace:
    """The trace of an experiment given by its bare keys."""
    return run(experiment(**keys), program)


def history(program: Program | None = None, **keys: Any) -> tuple[Trace, list[list[Any]]]:
    """A trace, and every stage's weights by version (version 0 first)."""
    given = experiment(**keys)
    task = make_task(given)
    assert task is not None
    weights = [[first.copy()] for first in task.weights]

    def watch(stage: int, version: int, new: Any) -> None:
        assert version == len(weights[stage])
        weights[stage].append(new.copy())

    return run(given, program, watch=watch), weights


def schedule_program(name: str, stages: int, minibatches: int, microbatches: int = 1) -> Program:
    return SCHEDULES[name].program(PipelineShape(stages, minibatches, microbatches))


def by_pass(trace: Trace, column: str, op: Op = Op.F) -> np.ndarray:
    """A column of the passes of one operation, by (stage, micro-batch); of B those of I too."""
    shape = trace.shape
    table = np.full((shape.stages, shape.total), np.nan)
    values = getattr(trace, column)
    for row in np.flatnonzero(among(trace.op, (op, Op.I) if op is Op.B else (op,))):
        first = trace.index[row]
        table[trace.stage[row], first : first + trace.count[row]] = values[row]
    return table


def steady(shape: PipelineShape) -> slice:
    """Micro-batches of all but the first and the last S mini-batches."""
    edge = shape.stages * shape.microbatches
    assert shape.total > 2 * edge
    return slice(edge, shape.total - edge)


def same_weights(one: list[list[Any]], other: list[list[Any]]) -> bool:
    """Bit for bit, every version of every stage."""
    return len(one) == len(other) and all(
        len(a) == len(b) and all(np.array_equal(x, y, equal_nan=True)
                                 for x, y in zip(a, b, strict=True))
        for a, b in zip(one, other, strict=True))
