"""The edges by which the instructions of several workers wait for each other."""

from __future__ import annotations

import numpy as np

from sim.arrays import Ints
from sim.op import Op
from sim.order.program import Program
from sim.order.replicated import own_program
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


def _last_rows(own: Program, op: Op) -> Ints:
    """Row of a mini-batch's update, last backward or first forward, (stages, mini-batches)."""
    ops = (Op.B, Op.W) if op is Op.B else (op,)
    table = own.row_of(*ops).reshape(own.shape.stages, own.shape.minibatches, -1)
    rows: Ints = table.min(axis=2) if op is Op.F else table.max(axis=2)
    return rows
