"""The orders that have names, as cycles: what a search starts from and has to beat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from analysis.ordering.periodic.cycle import Cycle, Event
from analysis.ordering.problem import OrderProblem
from analysis.ordering.search import search
from analysis.theory.pattern import Pattern, find_pattern
from sim.kernels.pairs import NUMPY
from sim.op import Op
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.order.torch_csv.reading import repeated
from sim.schedules import SCHEDULES

SHORT = 300  # moves of the search for a flushed order
BEYOND = 6  # mini-batches of a program in which a pattern is looked for, beside two a stage


def named_cycles(problem: OrderProblem) -> Iterator[tuple[str, Cycle]]:
    """Every registered order that repeats after one mini-batch on the problem's devices, and those
    that take a warm-up with longer and shorter ones, by their names."""
    chunks = problem.experiment.pipeline.chunks
    for each in SCHEDULES:
        if each.like is not None and chunks == 1:
            continue  # another's order by another name
        longer = "warmup" in each.takes and chunks == 1
        for ahead in (None, *(range(1, 2 * problem.stages + 1) if longer else ())):
            shape = PipelineShape(problem.stages, 2 * problem.stages + BEYOND,
                                  problem.microbatches, chunks, warmup=ahead)
            try:
                program = each.program(shape)
            except ValueError:
                continue  # not for this shape
            found = _cycle(program, problem)
            if found is not None:
                yield each.name + ("" if ahead is None else f", warmup {ahead}"), found


def flushed_cycle(problem: OrderProblem) -> tuple[str, Cycle] | None:
    """A flushed order that a short search finds, repeated for ever, and its name.

    It needs the least memory: where any order fits, this does.
    """
    found = search(replace(problem, max_staleness=0), rounds=SHORT, kernels=NUMPY)
    pattern = find_pattern(repeated(found.program, 2 * problem.stages + BEYOND))
    if pattern is None or pattern.minibatches > 1:
        return None
    return f"flushed, from {found.start}", cycle_of(pattern)


def _cycle(program: Program, problem: OrderProblem) -> Cycle | None:
    """The cycle of a program, where its stages live as the problem's do and each pass covers one
    micro-batch."""
    several = bool((program.rows.count[program.rows.op != Op.U] > 1).any())
    if (several or program.several or len(program.pairs) or program.lowered
            or not np.array_equal(program.home[0], problem.device)):
        return None
    pattern = find_pattern(program)
    return None if pattern is None or pattern.minibatches > 1 else cycle_of(pattern)


def cycle_of(pattern: Pattern) -> Cycle:
    """The cycle of a pattern of one mini-batch: what of it comes a period later has a shift."""
    program, n = pattern.program, pattern.program.shape.microbatches
    devices: list[list[tuple[int, Event]]] = [[] for _ in range(program.devices)]
    first: dict[int, int] = {}
    for row in pattern.rows.tolist():
        device = int(program.device[row])
        shift, at = divmod(row - first.setdefault(device, row), int(pattern.stride[row]))
        each = program.instruction(row)
        micro = 0 if each.op is Op.U else each.index % n
        devices[device].append((at, Event(each.op, each.stage, micro, shift)))
    return Cycle(tuple(tuple(event for _, event in sorted(mine)) for mine in devices))
