"""Updates that are put off: down their stream, to just before what would be next to read them."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from sim.arrays import Ints
from sim.kernels.pairs import NUMPY, Kernels
from sim.op import Op
from sim.order.program import Program


def put_off(program: Program, stages: Collection[int], kernels: Kernels = NUMPY) -> Program:
    """A program in which updates of some stages come right before the next pass of their stage.

    So a device goes on with its other stages while an update waits for an exchange.  Every pass
    reads the version it did, since none of the same stage on the same device is passed over; an
    update after which there is none comes last.  [choice] That it could come later still, where a
    mitigation lets the next passes read older weights, is not made use of.
    """
    if not stages:
        return program
    op, stage, _, _ = program.rows
    number = np.arange(len(program))
    moves = (op == Op.U) & np.isin(stage, list(stages))
    key = 2 * number
    key[moves] = 2 * _next_passes(program)[moves] - 1
    order = np.argsort(key, kind="stable")
    return program if (order == number).all() else program.reordered(order, kernels)


def _next_passes(program: Program) -> Ints:
    """The next pass of its stage after each row on its device, (rows,), else its stream's end."""
    op, stage, _, _ = program.rows
    device = program.device.astype(np.int64)
    order = np.lexsort((device * program.shape.stages + stage,))
    place = np.arange(len(order))
    upcoming = np.where(op[order] <= Op.W, place, len(order))
    upcoming = np.append(np.minimum.accumulate(upcoming[::-1])[::-1][1:], len(order))
    there = np.append(order, len(order))[upcoming]
    kind = np.append(device * program.shape.stages + stage, -1)
    found = np.empty(len(order), dtype=np.int64)
    found[order] = np.where(kind[there] == kind[order], there,
                            np.array(program.offsets[1:])[device[order]])
    return found
