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
    """Where in a ring rows find what they ask for: `place` by row, `run` the first place of each
    level's rows where those are one after another (−1: they are not), so that nothing has to be
    gathered."""

    place: Ints
    run: list[int]

    @classmethod
    def of(cls, place: Ints, first: Ints) -> RingPlaces:
        """From the place of each row and the first row of each level (and their end)."""
        number = place - np.arange(len(place))
        here = number[first[:-1]]
        even = np.logical_and.reduceat(number == np.repeat(here, np.diff(first)), first[:-1])
        return cls(place, np.where(even, place[first[:-1]], -1).tolist())

    def read(self, level: int, rows: slice, ring: Floats, room: Floats) -> Floats:
        """What a level finds, of shape (rows, lanes)."""
        run = self.run[level]
        return ring[run:run + len(room)] if run >= 0 else _gathered(ring, self.place[rows], room)


def _gathered(table: Floats, place: Ints, room: Floats) -> Floats:
    # Places are all in the table: `clip` is to write to `room` at once, `raise` would buffer.
    return table.take(place, axis=0, out=room, mode="clip")


class Levels(NamedTuple):
    """Rows by level: those of level `l` are `first[l] … first[l+1] - 1` of the order.

    A ring holds the ends of rows, another the arrivals of what they send, as far back as anything
    asks; a level's are put at `at[l]` and the following places.  `before` is the row before on
    the device, `needed` the one whose message is waited for, `queued` the one whose message is
    before on the link.  `last` says whether any device ends in a level.  `ring` and `widest` count
    places and the rows of the largest level.
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

    @property
    def kept(self) -> int:
        """Numbers kept for a lane while it is run."""
        return 2 * (1 + self.ring) + 2 * self.widest


def lay_out_levels(order: LaneOrder) -> Levels:
    """An order by its levels."""
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
                  reach + int(size.max()), int(size.max()))


def execute_levels(layout: Levels, seconds: Floats, transfer_s: Floats, start: Floats) -> Floats:
    """Makespans by lane; `start` is filled where it has any rows."""
    lanes, (first, place, kind) = seconds.shape[1], (layout.first.tolist(), layout.place,
                                                     layout.kind)
    end, arrival = (np.empty((1 + layout.ring, lanes)) for _ in range(2))
    end[NEVER], arrival[NEVER] = 0.0, -np.inf
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
        sent = np.maximum(layout.queued.read(level, rows, arrival, one), ends, out=one)
        np.add(sent, _gathered(transfer_s, kind[rows], two), out=arrival[here])
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
