"""The edges by which instructions of several workers, or copies of a stage, wait for each other."""

from __future__ import annotations

import numpy as np

from sim.arrays import Ints
from sim.op import Op
from sim.order.program import Program
from sim.order.replicated import own_program
from sim.order.streams import NO_EDGES
from sim.workers import Combine


def synchronised(program: Program, rule: Combine) -> Program:
    """A program of several workers with the edges by which they wait for each other under `rule`.

    That of one worker comes back as it is.
    """
    return program if program.shape.workers == 1 else waiting(program, rule)


def waiting(program: Program, rule: Combine) -> Program:
    """A program with every edge by which workers wait under `rule`, for themselves as well.

    Of one worker they say what its own order has to keep to.
    """
    shape, own = program.shape, own_program(program)
    holds, awaits = rule.waits(shape)
    after = _last_rows(own, rule.holds)[:, holds].ravel()
    before = _last_rows(own, rule.awaits)[:, awaits].ravel()
    workers = np.arange(shape.workers) * len(own)
    pairs = np.broadcast_arrays(before[:, None, None] + workers[:, None],
                                after[:, None, None] + workers)
    return program.synchronised(pairs[0].ravel(), pairs[1].ravel())


def copies_together(program: Program) -> Program:
    """A program of one worker in which the copies of a stage update together.

    The update that is a copy's own number u, from 0, waits for all that the number u of every copy
    of its stage is made of; a copy that has no such update is not waited for.
    """
    copies, rounds = program.copies, _rounds(program)
    befores, afters = [NO_EDGES[0]], [NO_EDGES[0]]
    for stage in np.flatnonzero(copies.homes > 1).tolist():
        own = [rounds[copy] for copy in copies.of_stage(stage)]
        for number in range(max(len(updates) for updates, _ in own)):
            there = [(updates[number], last[number]) for updates, last in own
                     if number < len(updates)]
            if len(there) > 1:
                after, before = np.array(there).T
                befores.append(np.tile(before, len(after)))
                afters.append(np.repeat(after, len(before)))
    return program.synchronised(np.concatenate(befores), np.concatenate(afters))


def _rounds(program: Program) -> list[tuple[Ints, Ints]]:
    """Of each copy the rows of its updates in their order, and of the last backward each is of."""
    copies, table = program.copies, program.row_of(Op.U)
    backward, found = program.row_of(Op.B, Op.W), []
    for copy in range(len(copies)):
        stage, mine = copies.stage[copy], copies.does(copy)
        updates, number = np.unique(table[stage, mine], return_inverse=True)
        last = np.full(len(updates), -1, dtype=np.int64)
        np.maximum.at(last, number, backward[stage, mine])
        found.append((updates.astype(np.int64), last))
    return found


def _last_rows(own: Program, op: Op) -> Ints:
    """Row of a mini-batch's update, last backward or first forward, (stages, mini-batches)."""
    ops = (Op.B, Op.W) if op is Op.B else (op,)
    first = np.arange(0, own.shape.total, own.shape.microbatches)
    how = np.minimum if op is Op.F else np.maximum
    rows: Ints = how.reduceat(own.row_of(*ops), first, axis=1)
    return rows
