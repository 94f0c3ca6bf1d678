"""Pairs: a forward and a backward that a device issues as one, and ends as one.

Such pairs are `OVERLAP_F_B` of PyTorch's pipelining and what DualPipe is made of.  They are kept by
what their instructions are, not by their rows, so that an order that is moved, cut or repeated
keeps them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.arrays import Ints
from sim.errors import InvalidProgramError
from sim.op import Op, among
from sim.order.completeness.marked_table import marked_table
from sim.order.instruction import Instruction
from sim.order.streams import RowTables, Streams


def pair_of(first: Instruction, second: Instruction) -> Ints:
    """One pair as columns, shape (1, 2, 3): operation, stage and index of each of the two."""
    return np.array([[[each.op, each.stage, each.index] for each in (first, second)]],
                    dtype=np.int64)


def rows_of_pairs(tables: RowTables, pairs: Ints) -> tuple[Ints, Ints]:
    """Rows of the first and of the second instruction of each pair, shape (pairs,) each."""
    found = np.full(pairs.shape[:2], -1, dtype=np.int64)
    for op in np.unique(pairs[..., 0]).tolist():
        its = pairs[..., 0] == op
        _, stage, index = pairs[its].T
        found[its] = tables.row_of(Op(op))[stage, index]
    return found[:, 0], found[:, 1]


def check_pairs(streams: Streams, tables: RowTables, pairs: Ints) -> Ints:
    """The `pairs`, (pairs, 2, 3), in the order of their rows; each is a forward and a backward of
    one device, one right after the other.

    Neither may be of what the other does.  Raises InvalidProgramError with the cell marked.
    """
    if not len(pairs):
        return pairs
    first, second = rows_of_pairs(tables, pairs)
    forward = np.count_nonzero(pairs[..., 0] == Op.F, axis=1)
    backward = among(pairs[..., 0].ravel(), (Op.B, Op.I)).reshape(-1, 2).sum(axis=1)
    rows, times = np.unique(np.concatenate((first, second)), return_counts=True)
    again = np.isin(first, rows[times > 1])
    right = ((first >= 0) & (second == first + 1) & ~again & (forward == 1) & (backward == 1)
             & (streams.device[first] == streams.device[second])
             & ~_of_one(streams, first, second))
    if not right.all():
        row = int(first[np.argmax(~right)])
        raise InvalidProgramError(
            "a pair is one forward and one backward of a device, the second right after the "
            f"first: {streams.instruction(row)} is in none such",
            marked_table(streams, dict([streams.step(row)])))
    ordered: Ints = pairs[np.argsort(first)]
    return ordered


def _of_one(streams: Streams, first: Ints, second: Ints) -> NDArray[np.bool_]:
    """Whether two rows are of one stage and a micro-batch in common: a backward needs its
    forward."""
    _, stage, index, count = streams.rows
    found: NDArray[np.bool_] = ((stage[first] == stage[second])
                                & (index[first] < index[second] + count[second])
                                & (index[second] < index[first] + count[first]))
    return found
