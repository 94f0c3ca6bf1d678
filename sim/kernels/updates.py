"""Updates put after the last backward of every mini-batch, on all streams in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.op import Op

B, W, U = Op.B.value, Op.W.value, Op.U.value


def with_updates(op: Any, stage: Any, index: Any, count: Any, offsets: Any, stages: Any,
                 minibatches: Any, microbatches: Any) -> Any:
    """Columns of shape (4, rows) with the updates in, and the streams' new offsets.

    Offsets are empty where a stream has updates already, where a row names what the shape does not
    have, or where backwards are not as many as there are micro-batches.
    """
    size, devices, micro_batches = len(op), len(offsets) - 1, minibatches * microbatches
    room = size + stages * minibatches
    rows, refused = np.empty((4, room), dtype=np.int32), np.zeros(0, dtype=np.int64)
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
        return rows, refused
    left = np.full(stages * minibatches, microbatches, dtype=np.int32)  # backwards to come
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
                if rest == 0:
                    ops[done], places[done] = U, place
                    firsts[done], counts[done] = minibatch * microbatches, microbatches
                    done += 1
        ends[device + 1] = done
    for rest in left:
        if rest != 0:
            return rows, refused
    return rows, ends
