"""Versions: the newest when a pass runs, those read by row, and how many are held, pass by pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.instruction import Op

F, B, I, U = Op.F.value, Op.B.value, Op.I.value, Op.U.value  # noqa: E741


def newest(op: Any, stage: Any, index: Any, count: Any, stages: Any, total: Any) -> Any:
    """Updates of its stage before each forward, backward and update, by (stage, micro-batch)."""
    forward = np.zeros((stages, total), dtype=np.int32)
    backward = np.zeros((stages, total), dtype=np.int32)
    applied = np.zeros((stages, total), dtype=np.int32)
    seen = np.zeros(stages, dtype=np.int32)
    for row in range(len(op)):
        what, where, first = op[row], stage[row], index[row]
        version = seen[where]
        if what == F:
            forward[where, first] = version
        elif what in (B, I):
            for micro in range(first, first + count[row]):
                backward[where, micro] = version
        elif what == U:
            for micro in range(first, first + count[row]):
                applied[where, micro] = version
            seen[where] = version + 1
    return forward, backward, applied


def read_by_row(op: Any, stage: Any, index: Any, count: Any, forward: Any, backward: Any,
                applied: Any) -> Any:
    """Version read (the oldest, where a pass covers several), applied, and mean staleness."""
    size = len(op)
    read, own = np.empty(size, dtype=np.int32), np.empty(size, dtype=np.int32)
    late = np.zeros(size)
    for row in range(size):
        what, where, first = op[row], stage[row], index[row]
        own[row] = applied[where, first]
        if what == F:
            read[row] = forward[where, first]
            late[row] = own[row] - read[row]
        elif what in (B, I):
            oldest = backward[where, first]
            gaps = own[row] - oldest
            if count[row] > 1:
                for micro in range(first + 1, first + count[row]):
                    oldest = min(oldest, backward[where, micro])
                    gaps += applied[where, micro] - backward[where, micro]
                late[row] = gaps / count[row]
            else:
                late[row] = gaps
            read[row] = oldest
        else:
            read[row] = own[row]  # an update reads what it steps
    return read, own, late


def peaks(forward_row: Any, backward_row: Any, update_row: Any, forward: Any, backward: Any,
          microbatches: Any, rows: Any) -> Any:
    """Most versions each stage holds at once; none said where updates are not in their order.

    Tables by (stage, micro-batch): rows of passes and updates, and versions read.  A version is
    made by an update and dropped after the last row that reads it, but never while it is newest.
    """
    stages, total = forward_row.shape
    minibatches = total // microbatches
    most = np.zeros(stages, dtype=np.int64)
    end = np.empty(minibatches + 1, dtype=np.int64)
    gone = np.empty(minibatches + 2, dtype=np.int64)
    for stage in range(stages):
        for version in range(minibatches):
            end[version] = update_row[stage, version * microbatches]
            if version > 0 and end[version] <= end[version - 1]:
                return most[:0]
        end[minibatches] = rows
        for micro in range(total):
            early, late = forward[stage, micro], backward[stage, micro]
            if min(early, late) < 0 or max(early, late) > minibatches:
                return most[:0]
            end[early] = max(end[early], forward_row[stage, micro])
            end[late] = max(end[late], backward_row[stage, micro])
        gone[:] = 0
        made = 1  # version `made` is the first made once a version is dropped
        for version in range(minibatches + 1):
            last = end[version]
            while made <= minibatches and update_row[stage, (made - 1) * microbatches] < last:
                made += 1
            while made > 1 and update_row[stage, (made - 2) * microbatches] >= last:
                made -= 1
            gone[made] += 1
        held = 0
        for version in range(minibatches + 1):
            held += 1 - gone[version]
            most[stage] = max(most[stage], held)
    return most
