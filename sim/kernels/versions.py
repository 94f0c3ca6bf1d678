"""Versions: the newest when a pass runs, those read by row, and how many are held, pass by pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.op import Op

F, B, I, U = Op.F.value, Op.B.value, Op.I.value, Op.U.value  # noqa: E741


def newest(op: Any, stage: Any, index: Any, count: Any, stages: Any, total: Any) -> Any:
    """Updates of its stage before each forward, backward and update, by (stage, micro-batch)."""
    tables = np.zeros((3, stages, total), dtype=np.int32)
    forward, backward, applied = tables[0], tables[1], tables[2]
    forwards, backwards, own = forward.reshape(-1), backward.reshape(-1), applied.reshape(-1)
    seen = np.zeros(stages, dtype=np.int32)
    for row in range(len(op)):
        what, where, more = op[row], stage[row], count[row]
        place = where * total + index[row]
        if where < 0 or place < 0:
            continue
        version = seen[where]
        if what == F:
            forwards[place] = version
        elif what in (B, I):
            for each in range(more):
                backwards[place + each] = version
        elif what == U:
            for each in range(more):
                own[place + each] = version
            seen[where] = version + 1
    return forward, backward, applied


def read_by_row(op: Any, stage: Any, index: Any, count: Any, forward: Any, backward: Any,
                applied: Any, wide: Any) -> Any:
    """Version read (the oldest, where a pass covers several), applied, and mean staleness.

    `wide`: whether any pass does.
    """
    size, total = len(op), forward.shape[1]
    forwards, backwards, own = forward.reshape(-1), backward.reshape(-1), applied.reshape(-1)
    read, before = np.empty(size, dtype=np.int32), np.empty(size, dtype=np.int32)
    late = np.empty(size)
    for row in range(size):
        what, place = op[row], stage[row] * total + index[row]
        if place < 0:
            continue
        latest = own[place]
        version = latest  # an update reads what it steps
        if what == F:
            version = forwards[place]
        elif what in (B, I):
            version = backwards[place]
        read[row], before[row], late[row] = version, latest, latest - version
    for row in range(size if wide else 0):
        if count[row] > 1 and op[row] in (B, I):
            first, gaps = stage[row] * total + index[row], 0
            for place in range(first, first + count[row]):
                read[row] = min(read[row], backwards[place])
                gaps += own[place] - backwards[place]
            late[row] = gaps / count[row]
    return read, before, late


def effective(op: Any, stage: Any, index: Any, count: Any, backward: Any, applied: Any, late: Any,
              share: Any) -> Any:
    """`late` by row with backwards by what `share` makes of their gaps, the mean over each."""
    total = backward.shape[1]
    backwards, own = backward.reshape(-1), applied.reshape(-1)
    column = late.copy()
    for row in range(len(op)):
        if op[row] in (B, I):
            first, behind = stage[row] * total + index[row], 0.0
            for place in range(first, first + count[row]):
                behind += share[own[place] - backwards[place]]
            column[row] = behind / count[row]
    return column


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
        updates = update_row[stage, ::microbatches]
        for version in range(minibatches):
            end[version] = updates[version]
        late = 0
        for version in range(1, minibatches):
            late += end[version] <= end[version - 1]
        if late > 0:
            return most[:0]
        end[minibatches] = rows
        for reads, by in ((forward[stage], forward_row[stage]),
                          (backward[stage], backward_row[stage])):
            lowest, highest = 0, 0
            for micro in range(total):
                lowest, highest = min(lowest, reads[micro]), max(highest, reads[micro])
            if lowest < 0 or highest > minibatches:
                return most[:0]
            for micro in range(total):
                end[reads[micro]] = max(end[reads[micro]], by[micro])
        gone[:] = 0
        made = 1  # version `made` is the first made once a version is dropped
        for version in range(minibatches + 1):
            last = end[version]
            while made <= minibatches and updates[made - 1] < last:
                made += 1
            while made > 1 and updates[made - 2] >= last:
                made -= 1
            gone[made] += 1
        held = 0
        for version in range(minibatches + 1):
            held += 1 - gone[version]
            most[stage] = max(most[stage], held)
    return most
