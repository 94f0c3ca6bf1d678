"""Whether messages that are instructions of their own have both ends, cut like their passes."""

from __future__ import annotations

import numpy as np

from sim.arrays import Ints
from sim.errors import InvalidProgramError
from sim.kernels.arrivals import PAIRED
from sim.kernels.pairs import Kernels
from sim.op import Op
from sim.order.completeness.marked_table import marked_table
from sim.order.needs import ELSEWHERE
from sim.order.streams import RowTables, Streams


def check_messages(streams: Streams, tables: RowTables, kernels: Kernels | None) -> None:
    """Refuse a program whose messages are not one SEND and one RECV for all that crosses devices.

    Each has to cover the micro-batches of the pass whose result it carries.  With `kernels` one
    quick pass accepts what is plainly right; what it refuses is looked at here.  Raises
    InvalidProgramError with the first offending cell marked.
    """
    if kernels is not None and streams.shape.workers == 1 and _all_paired(streams, tables, kernels):
        return
    home = np.zeros(streams.shape.stages, dtype=np.int64)
    home[streams.rows.stage] = streams.device % streams.shape.worker_devices
    crossing = np.flatnonzero(home[:-1] != home[1:])
    for need in ELSEWHERE:
        assert need.ends is not None
        (send, receive), sender = need.ends, int(need.step > 0)
        passes = tables.row_of(*need.before)[crossing + sender]
        for end, stages in ((send, crossing + sender), (receive, crossing + 1 - sender)):
            _check_ends(streams, tables.row_of(end), end, stages, passes)


def _all_paired(streams: Streams, tables: RowTables, kernels: Kernels) -> bool:
    crosses = tables.home[0, 1:] != tables.home[0, :-1]
    return all(kernels.of(PAIRED)(streams.rows.index, tables.row_of(*need.before),
                                  *(tables.row_of(end) for end in need.ends or ()), crosses,
                                  -need.step)
               for need in ELSEWHERE)


def _check_ends(streams: Streams, table: Ints, end: Op, stages: Ints, passes: Ints) -> None:
    """One `end` on each of `stages` for each of the `passes` (a row per micro-batch)."""
    rows, micro = streams.micro_rows(end)
    if len(rows) > np.count_nonzero(table >= 0):
        key = streams.rows.stage[rows] * streams.shape.total + micro
        second = np.setdiff1d(np.arange(len(key)), np.unique(key, return_index=True)[1])
        row = int(rows[second[0]])
        _refuse(streams, f"each message has one {end.name}: {streams.instruction(row)} is a "
                         "repetition", row)
    here = np.zeros(streams.shape.stages, dtype=bool)
    here[stages] = True
    elsewhere = ~here[streams.rows.stage[rows]]
    if elsewhere.any():
        row = int(rows[np.argmax(elsewhere)])
        _refuse(streams, f"{streams.instruction(row)}: nothing crosses devices there", row)
    for stage, mine in zip(stages.tolist(), passes, strict=True):
        _check_cuts(streams, table[stage], end, stage, mine)


def _check_cuts(streams: Streams, rows: Ints, end: Op, stage: int, passes: Ints) -> None:
    """A stage's `rows` of `end` are there for every micro-batch, each with its pass's first."""
    if (rows < 0).any():
        _refuse(streams, f"what crosses devices has one {end.name} each: stage {stage} has "
                         f"none of micro-batch {int(np.argmax(rows < 0))}")
    uneven = streams.rows.index[rows] != streams.rows.index[passes]
    if uneven.any():
        row = int(rows[np.argmax(uneven)])
        _refuse(streams, f"a message is cut like its pass: {streams.instruction(row)} is not "
                         f"({end.name})", row)


def _refuse(streams: Streams, rule: str, row: int | None = None) -> None:
    marked = {} if row is None else dict([streams.step(row)])
    raise InvalidProgramError(rule, marked_table(streams, marked))
