"""Whether messages that are instructions of their own have both ends, cut like their passes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
    home = streams.device[tables.row_of(Op.F)]
    crosses = home[:-1] != home[1:]  # whether a micro-batch does between a stage and the next
    for need in ELSEWHERE:
        assert need.ends is not None
        passes = tables.row_of(*need.before)
        for end, above in zip(need.ends, (need.step > 0, need.step < 0), strict=True):
            there = np.zeros(home.shape, dtype=bool)
            (there[1:] if above else there[:-1])[:] = crosses
            made = passes if end is need.ends[0] else np.roll(passes, -need.step, axis=0)
            _check_ends(streams, tables.row_of(end), end, there, made)


def _all_paired(streams: Streams, tables: RowTables, kernels: Kernels) -> bool:
    crosses = tables.home[0, 1:] != tables.home[0, :-1]
    return all(kernels.of(PAIRED)(streams.rows.index, tables.row_of(*need.before),
                                  *(tables.row_of(end) for end in need.ends or ()), crosses,
                                  -need.step)
               for need in ELSEWHERE)


def _check_ends(streams: Streams, table: Ints, end: Op, there: NDArray[np.bool_], passes: Ints
                ) -> None:
    """One `end` wherever something crosses devices `there`, with the first of its pass.

    `table` (rows of `end`), `there` and `passes` (rows of what makes the message) have shape
    (stages, micro-batches).
    """
    rows, micro = streams.micro_rows(end)
    if len(rows) > np.count_nonzero(table >= 0):
        key = streams.rows.stage[rows] * streams.shape.total + micro
        second = np.setdiff1d(np.arange(len(key)), np.unique(key, return_index=True)[1])
        row = int(rows[second[0]])
        _refuse(streams, f"each message has one {end.name}: {streams.instruction(row)} is a "
                         "repetition", row)
    elsewhere = ~there[streams.rows.stage[rows], micro]
    if elsewhere.any():
        row = int(rows[np.argmax(elsewhere)])
        _refuse(streams, f"{streams.instruction(row)}: nothing crosses devices there", row)
    missing = there & (table < 0)
    if missing.any():
        stage, first = np.argwhere(missing)[0]
        _refuse(streams, f"what crosses devices has one {end.name} each: stage {stage} has "
                         f"none of micro-batch {first}")
    uneven = there & (streams.rows.index[table] != streams.rows.index[passes])
    if uneven.any():
        row = int(table[uneven][0])
        _refuse(streams, f"a message is cut like its pass: {streams.instruction(row)} is not "
                         f"({end.name})", row)


def _refuse(streams: Streams, rule: str, row: int | None = None) -> None:
    marked = {} if row is None else dict([streams.step(row)])
    raise InvalidProgramError(rule, marked_table(streams, marked))
