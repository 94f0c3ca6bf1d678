"""Messages between devices: what each row waits for, and the link its own message takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sim.arrays import NARROW, Ints
from sim.kernels import compiled
from sim.kernels.arrivals import arrivals
from sim.op import Op

if TYPE_CHECKING:
    from sim.order.program import Program


@dataclass(frozen=True)
class Messages:
    """By row the row of another device that waits for what it sends, and the place among `links` of
    that message (−1: none of either); a link is from·devices + to, ascending.

    A message goes from one row to one row.
    """

    target: Ints
    link: Ints
    links: Ints

    @classmethod
    def of(cls, program: Program) -> Messages:
        """Those of a complete program."""
        if program.compiled:
            op, stage, index, _ = program.rows
            sends = (Op.SEND_F, Op.SEND_B, Op.SEND_B) if program.lowered else (Op.F, Op.B, Op.I)
            waits = ((Op.RECV_F,), (Op.RECV_B,)) if program.lowered else ((Op.F,), (Op.B, Op.I))
            return cls(*compiled(arrivals)(
                op, stage, index, np.array(program.offsets), np.array(sends, dtype=np.int64),
                *(program.row_of(*ops) for ops in waits), program.home))
        return _of_tables(program)

    def sources(self) -> Ints:
        """For each row the row whose message it waits for; −1 for none.  Made anew every time."""
        source = np.full(len(self.target), -1, dtype=NARROW)
        senders = np.flatnonzero(self.link >= 0)
        source[self.target[senders]] = senders
        return source


def _of_tables(program: Program) -> Messages:
    target = np.full(len(program), -1, dtype=NARROW)
    for before, after in program.needs_elsewhere():
        before, after = before.ravel(), after.ravel()  # noqa: PLW2901 - flat is the point
        crossing = program.device[before] != program.device[after]
        if program.lowered:
            crossing &= (before >= 0) & (after >= 0)
        if not crossing.all():
            before, after = before[crossing], after[crossing]  # noqa: PLW2901
        target[before] = after
    return Messages(target, *_links(program, target))


def _links(program: Program, target: Ints) -> tuple[Ints, Ints]:
    sender = np.flatnonzero(target >= 0)
    pair = program.device[sender] * program.devices + program.device[target[sender]]
    place = np.full(program.devices**2, -1, dtype=NARROW)
    place[pair] = 0
    links = np.flatnonzero(place == 0)
    place[links] = np.arange(len(links))
    link = np.full(len(program), -1, dtype=NARROW)
    link[sender] = place[pair]
    return link, links
