"""Messages between devices: what each row waits for, and the link its own message takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sim.instruction import NARROW, Ints, Op
from sim.passes import compiled
from sim.passes.arrivals import arrivals

if TYPE_CHECKING:
    from sim.program import Program


@dataclass(frozen=True)
class Messages:
    """By row the row of another device whose message it waits for, and the place among `links` of
    what it sends itself (−1: none of either); a link is from·devices + to, ascending."""

    source: Ints
    link: Ints
    links: Ints

    @classmethod
    def of(cls, program: Program) -> Messages:
        """Those of a complete program."""
        if program.compiled and not program.lowered:
            op, stage, index, _ = program.rows
            return cls(*compiled(arrivals)(
                op, stage, index, program.device, program.devices, program.row_of(Op.F),
                program.row_of(Op.B, Op.I), program.shape.workers, program.shape.microbatches))
        return _of_tables(program)


def _of_tables(program: Program) -> Messages:
    source = np.full(len(program), -1, dtype=NARROW)
    for before, after in program.needs_elsewhere():
        before, after = before.ravel(), after.ravel()  # noqa: PLW2901 - flat is the point
        crossing = program.device[before] != program.device[after]
        if program.lowered:
            crossing &= (before >= 0) & (after >= 0)
        if not crossing.all():
            before, after = before[crossing], after[crossing]  # noqa: PLW2901
        source[after] = before
    return Messages(source, *_links(program, source))


def _links(program: Program, source: Ints) -> tuple[Ints, Ints]:
    target = np.flatnonzero(source >= 0)
    sender = source[target]
    pair = program.device[sender] * program.devices + program.device[target]
    place = np.full(program.devices**2, -1, dtype=NARROW)
    place[pair] = 0
    links = np.flatnonzero(place == 0)
    place[links] = np.arange(len(links))
    link = np.full(len(program), -1, dtype=NARROW)
    link[sender] = place[pair]
    return link, links
