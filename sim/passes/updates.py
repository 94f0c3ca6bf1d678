"""Updates put after the last backward of every mini-batch, on all streams in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.instruction import Op

B, W, U = Op.B.value, Op.W.value, Op.U.value


def with_updates(op: Any, stage: Any, index: Any, count: Any, offsets: Any, stages: Any,
                 minibatches: Any, microbatches: Any) -> Any:
    """Columns of shape (4, rows) with the updates in, and the streams' new offsets.

    A stage whose stream has an update gets none.  Offsets are empty where a row names what the
    shape does not have, or where more would be put in than the shape has updates.
    """
    size, devices = len(op), len(offsets) - 1
    room = size + stages * minibatches
    rows = np.empty((4, room), dtype=np.int32)
    ends = np.zeros(devices + 1, dtype=np.int64)
    refused = np.zeros(0, dtype=np.int64)
    last = np.full(stages * minibatches, -1, dtype=np.int32)
    has = np.full(stages, -1, dtype=np.int32)
    ops, places, firsts, counts = rows[0], rows[1], rows[2], rows[3]
    done = 0
    for device in range(devices):
        for row in range(offsets[device], offsets[device + 1]):
            if (stage[row] < 0 or stage[row] >= stages or index[row] < 0
                    or index[row] >= minibatches * microbatches):
                return rows, refused
            if op[row] == U:
                has[stage[row]] = device
            elif op[row] == B or op[row] == W:
                minibatch = index[row] if microbatches == 1 else index[row] // microbatches
                last[stage[row] * minibatches + minibatch] = row
        for row in range(offsets[device], offsets[device + 1]):
            if done >= room:
                return rows, refused
            ops[done], places[done] = op[row], stage[row]
            firsts[done], counts[done] = index[row], count[row]
            done += 1
            if (op[row] == B or op[row] == W) and has[stage[row]] != device:
                minibatch = index[row] if microbatches == 1 else index[row] // microbatches
                if last[stage[row] * minibatches + minibatch] == row:
                    if done >= room:
                        return rows, refused
                    ops[done], places[done] = U, stage[row]
                    firsts[done], counts[done] = minibatch * microbatches, microbatches
                    done += 1
        ends[device + 1] = done
    return rows, ends
