"""Updates put after the last backward of every mini-batch, on all streams in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.arrays import NARROW, Ints
from sim.kernels.pairs import Pair
from sim.op import Op

B, W, U = Op.B.value, Op.W.value, Op.U.value


def insert_updates(op: Ints, stage: Ints, index: Ints, count: Ints, after: Ints, microbatches: int,
                   out: Ints) -> None:
    """Copy one stream's columns, shape (rows,) each, to `out` with updates put between its rows.

    After each of the rows `after`, ascending, shape (updates,), comes an update of the mini-batch
    that the row belongs to; `out` has shape (4, rows + updates).
    """
    new = after + np.arange(1, len(after) + 1)
    source = np.zeros(out.shape[1], dtype=np.intp)
    source[new] = 1
    source = np.arange(len(source)) - np.cumsum(source)  # an update's is the row it comes after
    for column, given in zip(out, (op, stage, index, count), strict=True):
        given.take(source, out=column, mode="clip")  # all are there: `raise` would buffer
    out[0, new], out[3, new] = U, microbatches
    if microbatches > 1:
        out[2, new] = out[2, new] // microbatches * microbatches


def _updated_at_once(op: Ints, stage: Ints, index: Ints, count: Ints, offsets: Ints, stages: int,
                     minibatches: int, microbatches: int) -> tuple[Ints, Ints]:
    refused = np.zeros((4, 0), dtype=NARROW), np.zeros(0, dtype=np.int64)
    if not len(op) or min(stage.min(), index.min()) < 0 or count.min() < 1 or (op == U).any() or (
            stage.max() >= stages or index.max() >= minibatches * microbatches):
        return refused
    rows = np.flatnonzero((op == B) | (op == W))
    minibatch = index[rows] if microbatches == 1 else index[rows] // microbatches
    key = stage[rows].astype(np.int64) * minibatches + minibatch
    covered = count[rows]
    done = np.bincount(key, None if (covered == 1).all() else covered, stages * minibatches)
    if (done != microbatches).any():
        return refused
    if len(rows) > len(done):
        last, first = np.empty((2, len(done)), dtype=np.int64)
        last[key], first[key[::-1]] = rows, rows[::-1]  # the last of those with one key stays
        if (np.searchsorted(offsets, first, "right")
                != np.searchsorted(offsets, last, "right")).any():
            return refused
        final = np.zeros(len(op), dtype=bool)
        final[last] = True
        rows = np.flatnonzero(final)
    first = np.searchsorted(rows, offsets)
    ends = offsets + first
    out = np.empty((4, ends[-1]), dtype=NARROW)
    for d in range(len(offsets) - 1):  # a stream's columns stay in the cache
        own = slice(offsets[d], offsets[d + 1])
        insert_updates(op[own], stage[own], index[own], count[own],
                       rows[first[d] : first[d + 1]] - offsets[d], microbatches,
                       out[:, ends[d] : ends[d + 1]])
    return out, ends


def _updated_in_loops(op: Any, stage: Any, index: Any, count: Any, offsets: Any, stages: Any,
                      minibatches: Any, microbatches: Any) -> Any:
    size, devices, micro_batches = len(op), len(offsets) - 1, minibatches * microbatches
    nothing, refused = np.zeros((4, 0), dtype=np.int32), np.zeros(0, dtype=np.int64)
    low, last, far, least, updates = 0, 0, 0, 1, 0
    for row in range(size):
        low, last = min(low, stage[row]), max(last, stage[row])
    for row in range(size):
        low, far = min(low, index[row]), max(far, index[row])
    for row in range(size):
        least = min(least, count[row])
    for row in range(size):
        updates += op[row] == U
    if low < 0 or last >= stages or far >= micro_batches or least < 1 or updates > 0:
        return nothing, refused
    rows = np.empty((4, size + stages * minibatches), dtype=np.int32)
    left = np.full(stages * minibatches, microbatches, dtype=np.int32)  # backwards to come
    home, elsewhere = np.zeros(stages * minibatches, dtype=np.int32), 0
    ops, places, firsts, counts = rows[0], rows[1], rows[2], rows[3]
    ends, done = np.zeros(devices + 1, dtype=np.int64), 0
    for device in range(devices):
        part = slice(offsets[device], offsets[device + 1])
        mine, where, which, covers = op[part], stage[part], index[part], count[part]
        for row in range(len(mine)):
            what, place, first, covered = mine[row], where[row], which[row], covers[row]
            ops[done], places[done], firsts[done], counts[done] = what, place, first, covered
            done += 1
            if what in (B, W):
                minibatch = first if microbatches == 1 else first // microbatches
                rest = left[place * minibatches + minibatch] - covered
                left[place * minibatches + minibatch] = rest
                if rest + covered == microbatches:
                    home[place * minibatches + minibatch] = device
                if rest == 0:
                    elsewhere += home[place * minibatches + minibatch] != device
                    ops[done], places[done] = U, place
                    firsts[done], counts[done] = minibatch * microbatches, microbatches
                    done += 1
        ends[device + 1] = done
    if elsewhere > 0:
        return nothing, refused
    for rest in left:
        if rest != 0:
            return nothing, refused
    return rows, ends


UPDATED = Pair(_updated_at_once, _updated_in_loops)
"""`(op, stage, index, count, offsets, stages, minibatches, microbatches)`: columns of shape
(4, rows) with the updates in, and the streams' new offsets.

Both are empty where a stream has updates already, where a row names what the shape does not have,
where the backwards of a mini-batch are not as many as it has micro-batches, or where a stage does
those of one mini-batch on several devices."""
