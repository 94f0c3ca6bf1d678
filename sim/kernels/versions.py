"""Weight versions of a whole program: the newest when a pass runs, those read, how many are held.

A version counts the updates of its stage, from 0.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sim.arrays import Floats, Ints
from sim.kernels.pairs import Pair
from sim.op import Op

F, B, I, U = Op.F.value, Op.B.value, Op.I.value, Op.U.value  # noqa: E741


class Passes(NamedTuple):
    """The row of each forward, backward and update: tables of shape (stages, micro-batches)."""

    forward: Ints
    backward: Ints
    update: Ints


class Versions(NamedTuple):
    """Weight versions: tables of shape (stages, micro-batches).

    `forward` and `backward` are those of the two passes, `applied` is the version just before the
    mini-batch's own update.
    """

    forward: Ints
    backward: Ints
    applied: Ints


def _newest_at_once(op: Ints, stage: Ints, index: Ints, count: Ints, passes: Passes) -> Versions:
    done = _updates_before(stage, op == U)
    return Versions(done[passes.forward], done[passes.backward], done[passes.update])


def _updates_before(stage: Ints, is_update: Any) -> Ints:
    """For each row the updates of its stage that precede it."""
    if (stage[1:] >= stage[:-1]).all():
        return _counted_before(stage, is_update)
    order = np.argsort(stage, kind="stable")
    before = np.empty(len(stage), dtype=np.int32)
    before[order] = _counted_before(stage[order], is_update[order])
    return before


def _counted_before(stage: Ints, is_update: Any) -> Ints:
    """For each of rows sorted by stage the updates of its stage that precede it."""
    counted = np.cumsum(is_update.astype(np.int32), dtype=np.int32)
    counted -= is_update
    first = np.concatenate(([0], np.flatnonzero(stage[1:] != stage[:-1]) + 1))
    counted -= np.repeat(counted[first], np.diff(first, append=len(stage)))
    return counted


def _newest_in_loops(op: Any, stage: Any, index: Any, count: Any, passes: Any) -> Any:
    stages, total = passes.forward.shape
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
    return Versions(forward, backward, applied)


NEWEST = Pair(_newest_at_once, _newest_in_loops)
"""`(op, stage, index, count, passes)` of a complete program: updates of its stage before each
forward, backward and update, as `Versions`."""


def _read_at_once(op: Ints, stage: Ints, index: Ints, count: Ints, passes: Passes,
                  versions: Versions, wide: bool) -> tuple[Ints, Ints, Floats]:
    total = versions.applied.shape[1]
    applied: Ints = versions.applied.ravel()[stage * total + index]
    read, late = applied.copy(), np.zeros(len(op))  # an update reads what it steps
    for rows, table in ((passes.forward, versions.forward), (passes.backward, versions.backward)):
        gap = versions.applied - table
        if wide and (count[rows[0]] > 1).any():  # on every stage cut at the same places
            np.minimum.at(read, rows, table)
            late += np.bincount(rows.ravel(), gap.ravel(), len(op)) / count
        else:
            read[rows] = table
            late[rows] = gap
    return read, applied, late


def _read_in_loops(op: Any, stage: Any, index: Any, count: Any, passes: Any, versions: Any,
                   wide: Any) -> Any:
    size, total = len(op), versions.applied.shape[1]
    forwards, backwards, own = (versions.forward.reshape(-1), versions.backward.reshape(-1),
                                versions.applied.reshape(-1))
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


READ = Pair(_read_at_once, _read_in_loops)
"""`(op, stage, index, count, passes, versions, wide)`: by row the version read (the oldest, where a
pass covers several micro-batches), the one before the own update, and the staleness, the mean over
what the row covers.  `wide`: whether any pass covers several."""


def _effective_at_once(op: Ints, stage: Ints, index: Ints, count: Ints, passes: Passes,
                       versions: Versions, late: Floats, share: Floats) -> Floats:
    rows, column = passes.backward, late.copy()
    behind = share[versions.applied - versions.backward]
    if (count[rows[0]] > 1).any():
        mine = (op == B) | (op == I)
        column[mine] = np.bincount(rows.ravel(), behind.ravel(), len(op))[mine] / count[mine]
    else:
        column[rows] = behind
    return column


def _effective_in_loops(op: Any, stage: Any, index: Any, count: Any, passes: Any, versions: Any,
                        late: Any, share: Any) -> Any:
    total = versions.applied.shape[1]
    backwards, own = versions.backward.reshape(-1), versions.applied.reshape(-1)
    column = late.copy()
    for row in range(len(op)):
        if op[row] in (B, I):
            first, behind = stage[row] * total + index[row], 0.0
            for place in range(first, first + count[row]):
                behind += share[own[place] - backwards[place]]
            column[row] = behind / count[row]
    return column


EFFECTIVE = Pair(_effective_at_once, _effective_in_loops)
"""`(op, stage, index, count, passes, versions, late, share)`: staleness `late` by row, where
backwards interpolate: one `n` updates behind has a staleness of `share[n]`, and a row the mean over
what it covers."""


def _held_at_once(passes: Passes, versions: Versions, microbatches: int, rows: int) -> Ints:
    stages, total = passes.forward.shape
    minibatches, refused = -(-total // microbatches), np.zeros(0, dtype=np.int64)
    read = np.stack([versions.forward, versions.backward])
    updates = passes.update[:, ::microbatches].astype(np.int64)
    if (updates[:, 1:] <= updates[:, :-1]).any() or read.min() < 0 or read.max() > minibatches:
        return refused
    most = np.zeros(stages, dtype=np.int64)
    for stage in range(stages):
        end = np.append(updates[stage], rows)
        np.maximum.at(end, versions.forward[stage], passes.forward[stage])
        np.maximum.at(end, versions.backward[stage], passes.backward[stage])
        made = 1 + np.searchsorted(updates[stage], end)
        held = np.cumsum(1 - np.bincount(made, minlength=minibatches + 2)[: minibatches + 1])
        most[stage] = held.max()
    return most


def _held_in_loops(passes: Any, versions: Any, microbatches: Any, rows: Any) -> Any:
    stages, total = passes.forward.shape
    minibatches = (total + microbatches - 1) // microbatches
    most = np.zeros(stages, dtype=np.int64)
    end = np.empty(minibatches + 1, dtype=np.int64)
    gone = np.empty(minibatches + 2, dtype=np.int64)
    for stage in range(stages):
        updates = passes.update[stage, ::microbatches]
        for version in range(minibatches):
            end[version] = updates[version]
        late = 0
        for version in range(1, minibatches):
            late += end[version] <= end[version - 1]
        if late > 0:
            return most[:0]
        end[minibatches] = rows
        for reads, by in ((versions.forward[stage], passes.forward[stage]),
                          (versions.backward[stage], passes.backward[stage])):
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


HELD = Pair(_held_at_once, _held_in_loops)
"""`(passes, versions, microbatches, rows)`: most versions each stage holds at once, shape
(stages,); empty where updates are not in the order of their mini-batches.

A version is made by an update and dropped after the last row that reads it, but never while it is
the newest.  `rows`: how many the program has."""
