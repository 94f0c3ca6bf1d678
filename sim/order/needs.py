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
    """Each of the operations `after` needs the one of `before` that is done on the same micro-batch
    `step` stages further on (0: its own stage).

    Where that stage is on another device it is a message that is needed, and in a program with
    messages as instructions `ends` are the operations of its two ends.
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
    """The rule and `sync` as edges: row `before[e]` ends before row `after[e]` starts."""
    pairs = needed_rows(streams.tables)
    before, after = (np.concatenate([table.ravel() for table in side])
                     for side in zip(*pairs, strict=True))
    edge = (before >= 0) & (after >= 0)
    before, after = before[edge].astype(np.int64), after[edge].astype(np.int64)
    keep = np.concatenate(([True], (np.diff(before) != 0) | (np.diff(after) != 0)))
    return (np.concatenate((before[keep[: len(before)]], streams.sync[0])),
            np.concatenate((after[keep[: len(after)]], streams.sync[1])))


def needed_rows(tables: RowTables) -> list[tuple[Ints, Ints]]:
    """The rule as tables of rows, and of rows that need those, by (stage, micro-batch); −1: none.

    In a lowered program what crosses devices goes through its SEND and RECV.
    """
    found = [_direct(tables, need) for need in ELSEWHERE]
    if tables.lowered:
        found += [_apart(tables, ends[:1], ends[1:], need.step)
                  for need in ELSEWHERE if (ends := need.ends)]
    found += [(tables.row_of(*need.before), tables.row_of(*need.after)) for need in OWN
              if tables.present & {*need.before} and tables.present & {*need.after}]
    if tables.lowered:
        found += [(tables.row_of(*need.before), tables.row_of(need.ends[0]))
                  for need in ELSEWHERE if need.ends]
    return found


def passes_of(tables: RowTables, need: Need) -> tuple[Ints, Ints]:
    """Rows needed of another stage and rows that need those, of passes whatever lies between; both
    by (stage, micro-batch), one stage fewer than there are."""
    return _apart(tables, need.before, need.after, need.step)


def _apart(tables: RowTables, before: tuple[Op, ...], after: tuple[Op, ...], step: int
           ) -> tuple[Ints, Ints]:
    """Rows of `before` and of `after`, where both stages are, `step` apart."""
    one, other = tables.row_of(*before), tables.row_of(*after)
    return (one[step:], other[:-step]) if step > 0 else (one[:step], other[-step:])


def _direct(tables: RowTables, need: Need) -> tuple[Ints, Ints]:
    """What instructions need of other stages: the pass there, or the message received from it."""
    before, after = passes_of(tables, need)
    if tables.lowered and need.ends:
        _, received = _apart(tables, need.before, need.ends[1:], need.step)
        before = np.where(received >= 0, received, before)
    return before, after
