"""Streams written out, with updates put where a stage has none: once its gradient is complete."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from sim.arrays import NARROW, Ints
from sim.kernels.pairs import NUMPY, Kernels
from sim.kernels.updates import UPDATED, insert_updates
from sim.op import Op, among
from sim.order.authoring import Part, join
from sim.order.columns import Instructions
from sim.order.shape import PipelineShape


def with_updates(shape: PipelineShape, streams: Sequence[Sequence[Part]],
                 kernels: Kernels = NUMPY) -> tuple[Instructions, tuple[int, ...]]:
    """Streams written out with the updates that a schedule left out, as columns and offsets.

    Where a stream has no update of a stage, one is put right after the last backward that it has
    of every mini-batch; of a stage that shares out a mini-batch among devices, whose copies may
    wait for each other then, after all that the device does of the mini-batch.  Offsets are where
    each stream begins, and where the last ends.  One pass over all streams does that where they are
    plainly complete; what it refuses is done here stream by stream, whatever the streams hold.
    """
    rows = join([part for stream in streams for part in stream])
    offsets = np.cumsum([0, *(sum(part.size for part in stream) for stream in streams)])
    # else a mistyped shape would fill the memory
    if shape.stages * shape.total <= rows.size and not shape.smaller_last:
        columns, ends = kernels.of(UPDATED)(*rows, offsets, shape.stages, shape.minibatches,
                                            shape.microbatches)
        if len(ends):
            return Instructions(*columns), tuple(ends.tolist())
    shared = _shared_out(shape, rows, offsets)
    parts = [_updated(shape, Instructions(*(column[first:end] for column in rows)), shared)
             for first, end in pairwise(offsets.tolist())]
    return join(parts), tuple(np.cumsum([0, *(part.size for part in parts)]).tolist())


def _shared_out(shape: PipelineShape, rows: Instructions, offsets: Ints) -> Ints:
    """The stages that do the backwards of one mini-batch on several devices, ascending."""
    mine = np.flatnonzero(among(rows.op, (Op.B, Op.W)))
    if not len(mine):
        return rows.stage[:0]
    minibatch = rows.index[mine] // shape.microbatches
    key = np.stack([rows.stage[mine].astype(np.int64), minibatch])
    device = np.searchsorted(offsets, mine, "right")
    every = np.unique(np.concatenate((key, device[None])), axis=1)
    again = (np.diff(every[:2], axis=1) == 0).all(axis=0)
    return np.unique(every[0, 1:][again])


def _updated(shape: PipelineShape, stream: Instructions, shared: Ints) -> Instructions:
    """One stream with updates of stages that have none: of those in `shared` after the last row
    of each mini-batch, of others after its last backward."""
    op, stage, index, count = stream
    if np.isin(stage, shared).any():
        return _updated_at_end(shape, stream, shared)
    final = among(op, (Op.B, Op.W))
    updated = stage[op == Op.U]
    if len(updated):
        final &= np.isin(stage, updated, invert=True)
    rows = np.flatnonzero(final)
    if not len(rows):
        return stream
    key = stage[rows].astype(np.int64) * (shape.minibatches + 1) + index[rows] // shape.microbatches
    after = _last_of_each(key, rows)
    out = np.empty((4, len(op) + len(after)), dtype=NARROW)
    insert_updates(op, stage, index, count, after, shape.microbatches, out)
    if shape.smaller_last:
        last = (out[0] == Op.U) & (out[2] == (shape.minibatches - 1) * shape.microbatches)
        out[3, last] = shape.size_of(shape.minibatches - 1)
    return Instructions(*out)


def _updated_at_end(shape: PipelineShape, stream: Instructions, shared: Ints) -> Instructions:
    """One stream with an update after the last row of each mini-batch, on every stage in `shared`
    that does a backward of it here, and after the last backward on others."""
    op, stage, index, _ = stream
    minibatch = index.astype(np.int64) // shape.microbatches
    final = among(op, (Op.B, Op.W)) & np.isin(stage, stage[op == Op.U], invert=True)
    key = stage.astype(np.int64) * (shape.minibatches + 1) + minibatch
    own = _last_of_each(key[final], np.flatnonzero(final)) if final.any() else np.zeros(0, int)
    number, whole = np.unique(minibatch, return_inverse=True)
    last = np.zeros(len(number), dtype=np.int64)
    np.maximum.at(last, whole, np.arange(len(op)))
    after = np.where(np.isin(stage[own], shared), last[whole[own]], own)
    order = np.argsort(after, kind="stable")
    after, own = after[order], own[order]
    sizes = [shape.size_of(int(each)) for each in minibatch[own]]
    new = (np.full(len(own), Op.U), stage[own], minibatch[own] * shape.microbatches, sizes)
    return Instructions(*(np.insert(column, after + 1, values).astype(NARROW)
                          for column, values in zip(stream, new, strict=True)))


def _last_of_each(key: Ints, rows: Ints) -> Ints:
    """Of ascending rows the last with each key, ascending."""
    if key.max() - key.min() > 8 * len(rows):  # a slip of the pen would fill the memory
        key = np.unique(key, return_inverse=True)[1]
    last = np.full(int(key.max() - key.min()) + 1, -1)
    last[key - key.min()] = rows
    return np.sort(last[last >= 0])
