"""The orders a planner chooses from: the named ones, and lists made for costs as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sim.errors import DeadlockError, InvalidProgramError
from sim.experiment.making import make_mitigation
from sim.experiment.options import Experiment
from sim.experiment.setup import generate, version_plan
from sim.op import Op
from sim.order.columns import Instructions
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from sim.times.cluster import Cluster
from sim.times.costs import CostModel
from sim.times.engine import simulate
from sim.times.memory import stays_within_limit

TRIED = 4  # mini-batches, beside one for every stage, by which an order shows how stale it reads


@dataclass(frozen=True)
class Order:
    """An order of any length: its name, and what makes its program of so many mini-batches."""

    name: str
    make: Callable[[int], Program]


def own(experiment: Experiment) -> Order:
    """The order of the experiment's own schedule, with all that its table `pipeline` says."""
    return Order(experiment.pipeline.schedule,
                 lru_cache(lambda count: generate(experiment.changed(
                     {"pipeline.minibatches": count, "training.task": "none"}))))


def named(experiment: Experiment, names: Sequence[str] | None = None) -> list[Order]:
    """The orders that can stand in for the experiment's own, which comes first.

    They are those of `names`, or of all schedules, that have one home for each stage and a device
    for each, issue no pairs, read no staler weights than the experiment's own order does at its
    stalest, and suit its mitigation.  Orders that are equal stand there once.
    """
    first = own(experiment)
    found, programs = [first], [first.make(_enough(experiment))]
    most = _stalest(programs[0], experiment)
    for order, program in _others(experiment, names):
        if (any(program == known for known in programs) or len(program.pairs)
                or program.several or _stalest(program, experiment) > most):
            continue
        found.append(order)
        programs.append(program)
    return found


def _others(experiment: Experiment, names: Sequence[str] | None
            ) -> Iterator[tuple[Order, Program]]:
    """Every other schedule's order for the experiment's shape, with some of its program."""
    pipeline = experiment.pipeline

    def of(name: str) -> Order:
        return Order(name, lru_cache(lambda count: SCHEDULES[name].program(
            PipelineShape(pipeline.stages, count, pipeline.microbatches))))

    chosen = [each.name for each in SCHEDULES if each.like is None] if names is None else names
    for name in chosen:
        if name == pipeline.schedule:
            continue
        try:
            yield of(name), of(name).make(_enough(experiment))
        except (ValueError, InvalidProgramError):
            continue


def _enough(experiment: Experiment) -> int:
    return experiment.pipeline.stages + TRIED


def _stalest(program: Program, experiment: Experiment) -> float:
    """The most updates behind that a pass of an order reads under the experiment's mitigation;
    without end where that has no version to read."""
    try:
        plan = version_plan(program, make_mitigation(experiment.pipeline.mitigation), "file")
    except ValueError:
        return float("inf")
    return float(max((plan.applied - read).max(initial=0) for read in (plan.forward,
                                                                       plan.backward)))


def flushes(program: Program) -> bool:
    """Whether every mini-batch of a program begins after the updates of the one before."""
    n = program.shape.microbatches
    update, forward = program.row_of(Op.U)[:, :-n], program.row_of(Op.F)[:, n:]
    return bool((forward > update).all())


def listed(base: Order, costs: CostModel, cluster: Cluster) -> Order | None:
    """The order in which devices come to do the passes of `base` where each takes what is ready.

    That is list scheduling with `sim.times.dispatch`'s priorities, for given costs; it is found for
    one mini-batch and repeated, so there is none (None) of an order that does not flush, nor where
    it holds more than there is room for.
    """
    if not flushes(base.make(2)):
        return None
    try:
        once = simulate(base.make(1), costs, cluster, np.random.default_rng(0), "greedy").program
    except DeadlockError:
        return None
    if not stays_within_limit(once, cluster):
        return None
    return Order(f"list({base.name})", lru_cache(lambda count: repeated(once, count)))


def repeated(once: Program, count: int) -> Program:
    """The program of one mini-batch, `count` times over."""
    n, shape = once.shape.microbatches, once.shape
    columns: list[list[np.ndarray]] = [[], [], [], []]
    offsets = [0]
    for first, stop in zip(once.offsets, once.offsets[1:], strict=False):
        for number in range(count):
            for column, rows in zip(columns, once.rows, strict=True):
                part = rows[first:stop]
                column.append(part + number * n if column is columns[2] else part)
        offsets.append(offsets[-1] + count * (stop - first))
    whole = Instructions(*map(np.concatenate, columns))
    return Program.of(PipelineShape(shape.stages, count, n), whole, tuple(offsets))
