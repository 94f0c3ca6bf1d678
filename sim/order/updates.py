"""Updates put into streams that have none: right after a stage's gradient is complete."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.arrays import NARROW, Ints
from sim.kernels import compiled, worth
from sim.kernels.updates import with_updates as put_in
from sim.op import Op, among
from sim.order.authoring import Part, join
from sim.order.columns import Instructions
from sim.order.shape import PipelineShape


def with_all_updates(shape: PipelineShape, streams: Sequence[Sequence[Part]]
                     ) -> tuple[Instructions, tuple[int, ...]] | None:
    """What `with_updates` makes of every stream, in one compiled pass; None where it does not."""
    sizes = [sum(each.size for each in stream) for stream in streams]
    if not worth(sum(sizes)) or shape.stages * shape.total > sum(sizes):
        return None
    rows, ends = compiled(put_in)(
        *join([each for stream in streams for each in stream]), np.cumsum([0, *sizes]),
        shape.stages, shape.minibatches, shape.microbatches)
    if not len(ends):
        return None
    return Instructions(*rows[:, : ends[-1]]), tuple(ends.tolist())


def with_updates(shape: PipelineShape, stream: Instructions) -> Instructions:
    """`stream` with an update after each mini-batch's last backward where a stage has none."""
    op, stage, index, count = stream
    n = shape.microbatches
    final = among(op, (Op.B, Op.W))
    updated = stage[op == Op.U]
    if len(updated):
        final &= np.isin(stage, updated, invert=True)
    rows = np.flatnonzero(final)
    if not len(rows):
        return stream
    key = stage[rows].astype(np.int64) * (shape.minibatches + 1) + index[rows] // n
    after = rows if (key[1:] > key[:-1]).all() else _last_of_each(key, rows)
    new = after + np.arange(1, len(after) + 1)
    inserted = np.zeros(len(op) + len(after), dtype=NARROW)
    inserted[new] = 1
    copies = np.arange(len(inserted)) - np.cumsum(inserted)
    op, stage, index, count = (column[copies] for column in stream)
    op[new], count[new] = Op.U, n
    index[new] = index[new] // n * n
    return Instructions(op, stage, index, count)


def _last_of_each(key: Ints, rows: Ints) -> Ints:
    """Of ascending rows the last with each key, ascending."""
    if key.max() - key.min() > 8 * len(rows):  # a slip of the pen would fill the memory
        key = np.unique(key, return_inverse=True)[1]
    last = np.full(int(key.max() - key.min()) + 1, -1)
    last[key - key.min()] = rows
    return np.sort(last[last >= 0])
