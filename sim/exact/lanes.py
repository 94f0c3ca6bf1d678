"""The recurrence of many replicas at once: a lane each, rows in an order known beforehand.

All columns but times are shared; times have shape (something, lanes).  `swept` is compiled where
numba is, `swept_by_row` is the same with NumPy over the lanes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.costs import Floats
from sim.instruction import Ints


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


def swept_by_row(device: Ints, needed: Ints, slot: Ints, link: Ints, place: Ints, kind: Ints,
                 seconds: Floats, transfer: Floats, clock: Floats, free: Floats, arrival: Floats,
                 start: Floats) -> None:
    """The same, one row of all lanes at a time."""
    clocks, frees, arrivals = list(clock), list(free), list(arrival)
    columns = (column.tolist() for column in (device, needed, slot, link, place, kind))
    for i, (d, wanted, own, way, at, what) in enumerate(zip(*columns, strict=True)):
        now = clocks[d]
        if wanted >= 0:
            np.maximum(now, arrivals[wanted], out=now)
        if len(start):
            start[i] = now
        np.add(now, seconds[at], out=now)
        if own >= 0:
            sent = arrivals[own]
            np.maximum(now, frees[way], out=sent)
            np.add(sent, transfer[what], out=sent)
            frees[way][:] = sent
