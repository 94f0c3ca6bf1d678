"""How many micro-batches a stage has in flight: as many captured copies of its passes it needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sim.arrays import Ints
from sim.op import Op, among
from sim.order.program import Program


class InFlight(NamedTuple):
    """The most micro-batches of one stage that are under way at once.

    `forward` counts those from their forward to the end of their backward (of its weight half,
    where that is apart), `halves` those from the input half of their backward to the weight half.
    """

    forward: int
    halves: int


def in_flight(program: Program, stage: int) -> InFlight:
    """The peaks of one stage in a program's order."""
    rows = np.flatnonzero(program.rows.stage == stage)
    op, count = program.rows.op[rows], program.rows.count[rows]
    return InFlight(_peak(op, count, Op.F, (Op.B, Op.W)), _peak(op, count, Op.I, (Op.W,)))


def _peak(op: Ints, count: Ints, opens: Op, closes: Sequence[Op]) -> int:
    """The most that is open at once, among instructions in order: (rows,) each."""
    change = (op == opens).astype(np.int64) - among(op, closes)
    return int(np.cumsum(count * change).max(initial=0))
