"""The recurrence of many replicas at once with NumPy: all rows of a level, all lanes at a time.

A tested twin of the row by row engine in `sim.kernels.lanes`, for where numba is not installed: a
level is one step of that for several devices.  It costs a few calls whatever its size, and in a
steady pipeline nearly every device is in every level.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim.arrays import Floats, Ints
from sim.kernels.lane_order import LaneOrder

NEVER = 0  # the place in a ring of what was before the first row: a clock of 0, no arrival


class RingPlaces(NamedTuple):
    """Where in a ring of kept times each row finds the one it asks for.

    `place` is by row of the order, shape (rows executed,).  `run` is by level the place of its
    first row where those of its rows follow one another (−1: they do not), so that the ring can be
    sliced instead of gathered from.
    """

    place: Ints
    run: list[int]

    @classmethod
    def of(cls, place: Ints, first: Ints) -> RingPlaces:
        """The places found from `place`, shape (rows executed,), by which each row asks.

        `first`, shape (levels + 1,), is the first row of each level, and where the last ends.
        """
        number = place - np.arange(len(place))
        here = number[first[:-1]]
        even = np.logical_and.reduceat(number == np.repeat(here, np.diff(first)), first[:-1])
        return cls(place, np.where(even, place[first[:-1]], -1).tolist())

    def read(self, level: int, rows: slice, ring: Floats, room: Floats) -> Floats:
        """What the rows of a level find in `ring`, shape (rows of the level, lanes).

        It may be written to `room`, of that shape.
        """
        run = self.run[level]
        return ring[run:run + len(room)] if run >= 0 else _gathered(ring, self.place[rows], room)


def _gathered(table: Floats, place: Ints, room: Floats) -> Floats:
    # Places are all in the table: `clip` is to write to `room` at once, `raise` would buffer.
    return table.take(place, axis=0, out=room, mode="clip")


class Levels(NamedTuple):
    """An order of rows as the NumPy lane engine takes it, a level of independent rows at a time.

    Rows of level `l` are `first[l] … first[l+1] - 1` of the order; `place` and `kind` are columns
    by row of it, shape (rows executed,), and `first` has shape (levels + 1,).  One ring holds the
    ends of rows, another the arrivals of what they send, and where those are `late` a third when
    their links are free again, as far back as anything asks; a level's are put at `at[l]` and the
    following places.  In them `before` finds the row before on the device, `needed` the one whose
    message is waited for, `queued` the one whose message is before on the link.  `last` says
    whether any device ends in a level, `ring` counts the places of a ring and `widest` the rows of
    the largest level.
    """

    first: Ints
    at: list[int]
    before: RingPlaces
    needed: RingPlaces
    queued: RingPlaces
    last: list[bool]
    place: Ints
    kind: Ints
    ring: int
    widest: int
    late: bool

    @property
    def kept(self) -> int:
        """How many numbers are kept for each lane while it is run."""
        return (3 if self.late else 2) * (1 + self.ring) + 2 * self.widest


def lay_out_levels(order: LaneOrder) -> Levels:
    """An order of rows laid out for `execute_levels`, once for all blocks of lanes."""
    rows, number = order.rows, np.arange(len(order.rows))
    size = np.bincount(order.level[rows])
    size = size[size > 0]
    first = np.concatenate(([0], np.cumsum(size)))
    asked = _rows_asked_for(order)
    reach = max(1, *(int((number - row)[row >= 0].max(initial=0)) for row in asked))
    at = 1 + first[:-1] % reach
    here = number + np.repeat(at - first[:-1], size)
    before, needed, queued = (
        RingPlaces.of(np.where(row >= 0, here[row], NEVER), first) for row in asked)
    last = np.ones(len(rows), dtype=bool)
    last[asked[0][asked[0] >= 0]] = False
    return Levels(first, at.tolist(), before, needed, queued,
                  np.logical_or.reduceat(last, first[:-1]).tolist(),
                  order.place[rows].astype(np.intp), order.kind[rows].astype(np.intp),
                  reach + int(size.max()), int(size.max()), order.late)


def execute_levels(layout: Levels, seconds: Floats, transfer_s: Floats, latency_s: Floats,
                   start: Floats) -> Floats:
    """Makespans in seconds, shape (lanes,), of replicas executed side by side.

    `seconds` has shape (places, lanes), `transfer_s` and `latency_s` (kinds, lanes) in seconds, or
    the latter (0, lanes) where nothing is late; `start`, shape (rows executed, lanes) or
    (0, lanes), is filled with the starts of rows where it has any.
    """
    lanes, (first, place, kind) = seconds.shape[1], (layout.first.tolist(), layout.place,
                                                     layout.kind)
    end, arrival = (np.empty((1 + layout.ring, lanes)) for _ in range(2))
    end[NEVER], arrival[NEVER] = 0.0, -np.inf
    free = arrival.copy() if layout.late else arrival
    some, more = (np.empty((layout.widest, lanes)) for _ in range(2))
    makespan = np.zeros(lanes)
    for level, at in enumerate(layout.at):
        rows = slice(first[level], first[level + 1])
        size = rows.stop - rows.start
        one, two, here = some[:size], more[:size], slice(at, at + size)
        came = layout.needed.read(level, rows, arrival, one)
        now = np.maximum(layout.before.read(level, rows, end, two), came, out=one)
        if len(start):
            start[rows] = now
        ends = np.add(now, _gathered(seconds, place[rows], two), out=end[here])
        sent = np.maximum(layout.queued.read(level, rows, free, one), ends, out=one)
        gone = np.add(sent, _gathered(transfer_s, kind[rows], two), out=free[here])
        if layout.late:
            np.add(gone, _gathered(latency_s, kind[rows], two), out=arrival[here])
        if layout.last[level]:
            np.maximum(makespan, ends.max(axis=0), out=makespan)
    return makespan


def _rows_asked_for(order: LaneOrder) -> tuple[Ints, Ints, Ints]:
    """Which of the order each row has before it on its device, needs, and has before it on its
    link; −1: none."""
    rows, number = order.rows, np.full(len(order.device), -1)
    number[rows] = np.arange(len(rows))
    device, link, source = (column[rows] for column in (order.device, order.link, order.source))
    # What is not sent queues too, behind its like, where nobody looks: lest a run have gaps.
    alike = order.kind[rows] * order.devices + device
    queue = np.where(link >= 0, link, order.links + alike)
    return _previous(device), np.where(source >= 0, number[source], -1), _previous(queue)


def _previous(key: Ints) -> Ints:
    """The nearest place before each with the same key; −1: none."""
    order = np.argsort(key, kind="stable")
    same = np.diff(key[order]) == 0
    previous = np.full(len(key), -1)
    previous[order[1:][same]] = order[:-1][same]
    return previous
