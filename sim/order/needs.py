"""The readiness rule, written once: what must have ended before an instruction starts.

Whatever else asks who waits for whom (tables of dependencies, messages between devices, PyTorch's
order of sends and receives, dispatch by readiness) is made from `RULE`.  How several workers wait
for each other is no part of it: see `sim.workers`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.arrays import Ints
from sim.op import Op
from sim.order.streams import CompleteStreams, Edges, RowTables


@dataclass(frozen=True, slots=True)
class Need:
    """One clause of the readiness rule: which operation has to have ended before which may start.

    Each of `after` needs the one of `before` that is done on its micro-batch `step` stages further
    on (0: its own stage).  Where that stage is on another device it is a message that is needed,
    and in a program with messages as instructions `ends` are the operations of its two ends.
    """

    before: tuple[Op, ...]
    after: tuple[Op, ...]
    step: int = 0
    ends: tuple[Op, Op] | None = None


ACTIVATION = Need((Op.F,), (Op.F,), -1, (Op.SEND_F, Op.RECV_F))
GRADIENT = Need((Op.B, Op.I), (Op.B, Op.I), 1, (Op.SEND_B, Op.RECV_B))
ELSEWHERE = (ACTIVATION, GRADIENT)
OWN = (Need((Op.F,), (Op.B, Op.I)), Need((Op.I,), (Op.W,)), Need((Op.B, Op.W), (Op.U,)))
RULE = (*ELSEWHERE, *OWN)
"""A forward needs the previous stage's forward; a backward needs the next stage's backward (its
input half) and its own stage's forward; `W` needs its `I`; an update needs every backward of its
mini-batch on its stage."""


def dependencies(streams: CompleteStreams) -> Edges:
    """Which rows wait for which, by the rule and by `sync` between workers.

    As two arrays of shape (edges,): row `before[e]` ends before row `after[e]` starts.
    """
    pairs = needed_rows(streams.tables)
    before, after = (np.concatenate([table.ravel() for table in side])
                     for side in zip(*pairs, strict=True))
    edge = (before >= 0) & (after >= 0)
    before, after = before[edge].astype(np.int64), after[edge].astype(np.int64)
    keep = np.concatenate(([True], (np.diff(before) != 0) | (np.diff(after) != 0)))
    return (np.concatenate((before[keep[: len(before)]], streams.sync[0])),
            np.concatenate((after[keep[: len(after)]], streams.sync[1])))


def needed_rows(tables: RowTables) -> list[tuple[Ints, Ints]]:
    """Pairs of tables: rows, and at the same place the rows that need those (−1: none).

    A pair for each clause of the rule, of shape (stages, micro-batches) or a stage fewer where the
    clause is about neighbours.  In a program with messages as instructions what crosses devices
    goes through its SEND and RECV.
    """
    found = [_direct(tables, need) for need in ELSEWHERE]
    if tables.lowered:
        found += [_across(tables, ends[:1], ends[1:], need.step)
                  for need in ELSEWHERE if (ends := need.ends)]
    found += [(tables.row_of(*need.before), tables.row_of(*need.after)) for need in OWN
              if tables.present & {*need.before} and tables.present & {*need.after}]
    if tables.lowered:
        found += [(tables.row_of(*need.before), tables.row_of(need.ends[0]))
                  for need in ELSEWHERE if need.ends]
    return found


def passes_of(tables: RowTables, need: Need) -> tuple[Ints, Ints]:
    """Rows of passes that a neighbouring stage needs, and the rows of the passes that need them.

    Both have shape (stages − 1, micro-batches); messages that may lie between are passed over.
    """
    return _across(tables, need.before, need.after, need.step)


def _across(tables: RowTables, before: tuple[Op, ...], after: tuple[Op, ...], step: int
            ) -> tuple[Ints, Ints]:
    """Rows of `before`, and of `after` on the stage `step` before it, where there are both."""
    one, other = tables.row_of(*before), tables.row_of(*after)
    return (one[step:], other[:-step]) if step > 0 else (one[:step], other[-step:])


def _direct(tables: RowTables, need: Need) -> tuple[Ints, Ints]:
    """What instructions need of other stages: the pass there, or the message received from it."""
    before, after = passes_of(tables, need)
    if tables.lowered and need.ends:
        _, received = _across(tables, need.before, need.ends[1:], need.step)
        before = np.where(received >= 0, received, before)
    return before, after


def receivers(streams: CompleteStreams) -> Ints:
    """The pass that needs what each RECV of a program receives, shape (rows,); −1 elsewhere."""
    op, stage, index, _ = streams.rows
    found = np.full(len(streams), -1, dtype=np.int64)
    for need in ELSEWHERE:
        if need.ends is not None:
            rows = np.flatnonzero(op == need.ends[1])
            found[rows] = streams.row_of(*need.after)[stage[rows], index[rows]]
    return found
