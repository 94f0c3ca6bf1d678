"""The recurrence of many replicas at once, a lane each: rows in an order known beforehand.

All columns but times are shared; times have shape (something, lanes).  Numba goes row by row and
keeps the messages on their way in slots; NumPy goes level by level (`sim.kernels.levels`).  Either
lays the order out as it needs it, once for all lanes, and then executes blocks of lanes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim.arrays import Floats, Ints
from sim.kernels.lane_order import LaneOrder
from sim.kernels.levels import execute_levels, lay_out_levels
from sim.kernels.pairs import Pair


class Slots(NamedTuple):
    """An order of rows as the compiled lane engine takes it, messages having slots to wait in.

    Columns are by row of the order, shape (rows executed,); `devices`, `links` and `slots` are how
    many there are.  A message has a slot from its sending to its receiving: `needed` is the slot in
    which a row finds the one it waits for, `slot` where its own is put (−1: none).
    """

    device: Ints
    needed: Ints
    slot: Ints
    link: Ints
    place: Ints
    kind: Ints
    devices: int
    links: int
    slots: int

    @property
    def kept(self) -> int:
        """How many numbers are kept for each lane while it is run."""
        return self.devices + self.links + self.slots


def _lay_out_slots(order: LaneOrder) -> Slots:
    rows, source, link = order.rows, order.source, order.link
    held, unused = np.empty(len(source), dtype=np.int32), np.empty(len(rows) + 1, dtype=np.int32)
    needed, slot = np.empty(len(rows), dtype=np.int32), np.empty(len(rows), dtype=np.int32)
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
    return Slots(order.device[rows], needed, slot, link[rows], order.place[rows],
                 order.kind[rows], order.devices, order.links, slots)


def _execute_slots(layout: Slots, seconds: Floats, transfer_s: Floats, latency_s: Floats,
                   start: Floats) -> Floats:
    device, needed, slot, link, place, kind, devices, links, slots = layout
    lanes, keeps, late = seconds.shape[1], start.shape[0] > 0, latency_s.shape[0] > 0
    clock, free = np.zeros((devices, lanes)), np.zeros((links, lanes))
    arrival = np.zeros((slots, lanes))
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
            here, way, lasts = arrival[slot[i]], free[link[i]], transfer_s[kind[i]]
            for r in range(lanes):
                end = now[r] + took[r]
                sent = (way[r] if way[r] > end else end) + lasts[r]
                now[r] = end
                way[r] = sent
                here[r] = sent
            if late:
                after = latency_s[kind[i]]
                for r in range(lanes):
                    here[r] += after[r]
    makespan = np.zeros(lanes)
    for d in range(devices):
        for r in range(lanes):
            makespan[r] = max(makespan[r], clock[d, r])
    return makespan


LAY_OUT = Pair(lay_out_levels, _lay_out_slots)
"""`(order)`: the order as `EXECUTE` of the same make takes it; `kept` are the numbers a lane takes
beside its seconds."""

EXECUTE = Pair(execute_levels, _execute_slots)
"""`(layout, seconds, transfer_s, latency_s, start)`: makespans by lane, from seconds of shape
(places, lanes), transfers of (kinds, lanes) and latencies of the same or none, (0, lanes); `start`
(rows of the order, lanes) is filled where it has rows."""
