"""The recurrence of many replicas at once, compiled: a lane each, row by row in a known order.

All columns but times are shared; times have shape (something, lanes).  `levels` beside it is the
same without a compiler.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.arrays import Floats, Ints
from sim.times.exact.compiled import compiled
from sim.times.exact.system import System
from sim.times.replicas.blocks import Block


@dataclass(frozen=True)
class Lanes:
    """Columns of `swept` by row of the order, and how many links and slots of messages it uses."""

    columns: tuple[Ints, ...]
    devices: int
    links: int
    slots: int

    @classmethod
    def of(cls, system: System, rows: Ints, place: Ints, kind: Ints) -> Lanes:
        """`rows` in executable order; all columns are of the whole program."""
        held, unused, needed, slot = (np.empty(size, dtype=np.int32) for size in (
            len(system.program), len(rows) + 1, len(rows), len(rows)))
        slots = int(compiled(slotted)(rows, system.source, system.link, held, unused, needed,
                                      slot))
        columns = (system.program.device[rows], needed, slot, system.link[rows], place[rows],
                   kind[rows])
        return cls(columns, system.program.devices, len(system.receiver), slots)

    @property
    def held(self) -> int:
        """Numbers kept for a lane while it is run."""
        return self.devices + self.links + self.slots

    def run(self, block: Block, start: Floats) -> Floats:
        """Makespans by lane; `start` is filled where it has any rows."""
        lanes = block.seconds.shape[1]
        clock, free, arrival = (np.zeros((size, lanes)) for size in (
            self.devices, self.links, self.slots))
        compiled(swept)(*self.columns, block.seconds, block.transfer_s, clock, free, arrival,
                        start)
        makespan: Floats = clock.max(axis=0)
        return makespan


def slotted(rows: Any, source: Any, link: Any, held: Any, unused: Any, needed: Any, slot: Any
            ) -> int:
    """Give every message a slot from its sending to its receiving; how many slots that takes.

    `rows` are in executable order, `source` and `link` by row.  `needed` becomes the slot each
    finds its message in, `slot` where its own is put (−1: none); `held` and `unused` are room, of
    a number per row and one per message.
    """
    slots, top = 0, 0
    for place in range(len(rows)):
        row = rows[place]
        needed[place] = slot[place] = -1
        if source[row] >= 0:
            needed[place] = unused[top] = held[source[row]]
            top += 1
        if link[row] >= 0:
            if top == 0:
                unused[0] = slots
                slots, top = slots + 1, 1
            top -= 1
            slot[place] = held[row] = unused[top]
    return slots


def swept(device: Any, needed: Any, slot: Any, link: Any, place: Any, kind: Any, seconds: Any,
          transfer: Any, clock: Any, free: Any, arrival: Any, start: Any) -> None:
    """Execute rows in order: `seconds` by `place`, `transfer` by `kind`, all else by row.

    `start` is filled where it has any rows.
    """
    lanes, keeps = clock.shape[1], start.shape[0] > 0
    for i in range(len(device)):
        now, took = clock[device[i]], seconds[place[i]]
        if needed[i] >= 0:
            came = arrival[needed[i]]
            for r in range(lanes):
                now[r] = came[r] if came[r] > now[r] else now[r]
        if keeps:
            for r in range(lanes):
                start[i, r] = now[r]
        if slot[i] < 0:
            for r in range(lanes):
                now[r] += took[r]
        else:
            here, way, lasts = arrival[slot[i]], free[link[i]], transfer[kind[i]]
            for r in range(lanes):
                end = now[r] + took[r]
                sent = (way[r] if way[r] > end else end) + lasts[r]
                now[r] = end
                way[r] = sent
                here[r] = sent
