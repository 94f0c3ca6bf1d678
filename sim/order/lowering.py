"""A program with its messages as instructions: RECV before what needs one, SEND after its maker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.arrays import NARROW
from sim.op import Op
from sim.order.columns import Instructions

if TYPE_CHECKING:
    from sim.order.program import Program


def lowered(program: Program) -> Program:
    """Raises ValueError for workers that wait for each other: that is no message."""
    if len(program.sync[0]):
        raise ValueError("programs of one worker are lowered; this one has "
                         f"{program.shape.workers} that wait for each other")
    op, stage, index, count = program.rows
    arrives, leaves = program.arrives_from >= 0, program.sends
    sizes = 1 + arrives.astype(NARROW) + leaves
    ends = np.cumsum(sizes)
    place, forward = ends - 1 - leaves, op == Op.F
    wide = np.empty(int(sizes.sum()), dtype=NARROW)
    wide[place] = op
    for there, step, ends_of in ((arrives, -1, (Op.RECV_F, Op.RECV_B)),
                                 (leaves, 1, (Op.SEND_F, Op.SEND_B))):
        wide[place[there] + step] = np.where(forward[there], *ends_of)
    rows = Instructions(wide, *(np.repeat(column, sizes) for column in (stage, index, count)))
    before = np.concatenate(([0], ends))
    return type(program)(program.shape, rows, tuple(int(before[end]) for end in program.offsets))
