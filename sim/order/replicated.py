"""Programs of several workers that all run one order: made from one worker's, and reduced to it.

Workers take mini-batches in turn: mini-batch `i` (from 1) of the run is worker `(i−1) mod W`'s own
number `(i−1) div W + 1`.  Devices and rows of worker 0 come first, then those of worker 1, …
"""

from __future__ import annotations

import numpy as np

from sim.arrays import NARROW, Ints
from sim.errors import InvalidProgramError
from sim.kernels.pairs import NUMPY, Kernels
from sim.order.columns import Instructions
from sim.order.program import Program
from sim.order.shape import PipelineShape


def replicated(own: Program, shape: PipelineShape, kernels: Kernels = NUMPY) -> Program:
    """The program in which every worker of `shape` runs the order of `own`, one worker's program.

    The mini-batches of `shape` are all workers' together.  Raises InvalidProgramError where a
    stage has several homes.
    """
    if shape.workers == 1:
        return own
    if own.several:
        raise InvalidProgramError(f"{shape.workers} workers run orders in which each stage lives "
                                  "on one device; in this one stages have several homes")
    op, stage, index, count = (np.tile(column, shape.workers) for column in own.rows)
    worker = np.repeat(np.arange(shape.workers, dtype=NARROW), len(own))
    starts = [int(end) + w * len(own) for w in range(shape.workers) for end in own.offsets[:-1]]
    rows = Instructions(op, stage, whole_index(index, worker, shape), count)
    pairs = np.tile(own.pairs, (shape.workers, 1, 1))
    pairs[..., 2] = whole_index(pairs[..., 2].T, np.repeat(np.arange(shape.workers),
                                                           len(own.pairs)), shape).T
    return Program.of(shape, rows, (*starts, len(own) * shape.workers), kernels, pairs)


def own_program(program: Program, kernels: Kernels = NUMPY) -> Program:
    """One worker's program, the inverse of `replicated`: worker 0's in its own numbering."""
    shape = program.shape
    if shape.workers == 1:
        return program
    last = program.offsets[shape.worker_devices]
    op, stage, index, count = (column[:last] for column in program.rows)
    rows = Instructions(op, stage, own_index(index, shape), count)
    pairs = program.pairs[program.pairs[:, 0, 2] // shape.microbatches % shape.workers == 0].copy()
    pairs[..., 2] = own_index(pairs[..., 2], shape)
    return Program.of(shape.of_worker, rows, program.offsets[: shape.worker_devices + 1], kernels,
                      pairs)


def whole_index(index: Ints, worker: Ints, shape: PipelineShape) -> Ints:
    """The numbers in the whole run of micro-batches that workers count for themselves.

    `index`, `worker` and the result have shape (rows,).
    """
    n = shape.microbatches
    whole: Ints = (index // n * shape.workers + worker) * n + index % n
    return whole


def own_index(index: Ints, shape: PipelineShape) -> Ints:
    """The numbers that a worker itself gives to micro-batches of the whole run, shape (rows,)."""
    n = shape.microbatches
    own: Ints = index // (n * shape.workers) * n + index % n
    return own
