"""The recurrence of many replicas at once with NumPy: all rows of a level, all lanes at a time.

What rows of a level need is in the levels before, and a device has at most one row in each; so a
level is one step of `lanes.swept` for several devices.  A level costs the same few calls whatever
its size, and in a steady pipeline nearly every device is in every level.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.arrays import Floats, Ints
from sim.times.exact.system import System
from sim.times.replicas.blocks import Block

NEVER = 0  # the place in a ring of what was before the first row: a clock of 0, no arrival


@dataclass(frozen=True)
class Look:
    """Where in a ring rows look: `place` by row, `run` the first place of each level's rows where
    those are one after another (−1: they are not), so that nothing has to be gathered."""

    place: Ints
    run: list[int]

    @classmethod
    def of(cls, place: Ints, first: Ints) -> Look:
        number = place - np.arange(len(place))
        here = number[first[:-1]]
        even = np.logical_and.reduceat(number == np.repeat(here, np.diff(first)), first[:-1])
        return cls(place, np.where(even, place[first[:-1]], -1).tolist())

    def at(self, level: int, rows: slice, ring: Floats, room: Floats) -> Floats:
        """What a level finds, of shape (rows, lanes)."""
        run = self.run[level]
        return ring[run:run + len(room)] if run >= 0 else gathered(ring, self.place[rows], room)


def gathered(table: Floats, place: Ints, room: Floats) -> Floats:
    # Places are all in the table: `clip` is to write to `room` at once, `raise` would buffer.
    return table.take(place, axis=0, out=room, mode="clip")


@dataclass(frozen=True)
class Levels:
    """Rows by level: those of level `l` are `first[l] … first[l+1] - 1` of the order.

    A ring holds the ends of rows, another the arrivals of what they send, as far back as anything
    looks; a level's are put at `at[l]` and the following places.  `before` is the row before on
    the device, `needed` the one whose message is waited for, `queued` the one whose message is
    before on the link.  `last` says whether any device ends in a level.  `place` and `kind` are
    those of `sim.times.replicas.blocks`, by row.
    """

    first: Ints
    at: list[int]
    before: Look
    needed: Look
    queued: Look
    last: list[bool]
    place: Ints
    kind: Ints
    ring: int
    widest: int

    @classmethod
    def of(cls, system: System, rows: Ints, moment: Ints, place: Ints, kind: Ints) -> Levels:
        """`rows` in order of `moment`, their levels; all columns are of the whole program."""
        size = np.bincount(moment[rows])
        first = np.concatenate(([0], np.cumsum(size[size > 0])))
        looks = _looks(system, rows, kind)
        number = np.arange(len(rows))
        reach = max(1, *(int((number - look)[look >= 0].max(initial=0)) for look in looks))
        at = 1 + first[:-1] % reach
        here = number + np.repeat(at - first[:-1], np.diff(first))
        before, needed, queued = (
            Look.of(np.where(look >= 0, here[look], NEVER), first) for look in looks)
        last = np.ones(len(rows), dtype=bool)
        last[looks[0][looks[0] >= 0]] = False
        return cls(first, at.tolist(), before, needed, queued,
                   np.logical_or.reduceat(last, first[:-1]).tolist(),
                   place[rows].astype(np.intp), kind[rows].astype(np.intp),
                   reach + int(size.max()), int(size.max()))

    @property
    def held(self) -> int:
        """Numbers kept for a lane while it is run."""
        return 2 * (1 + self.ring) + 2 * self.widest

    def run(self, block: Block, start: Floats) -> Floats:
        """Makespans by lane; `start` is filled where it has any rows."""
        lanes = block.seconds.shape[1]
        end, arrival = (np.empty((1 + self.ring, lanes)) for _ in range(2))
        end[NEVER], arrival[NEVER] = 0.0, -np.inf
        some, more = (np.empty((self.widest, lanes)) for _ in range(2))
        makespan, first = np.zeros(lanes), self.first.tolist()
        for level, at in enumerate(self.at):
            rows = slice(first[level], first[level + 1])
            size = rows.stop - rows.start
            one, two, here = some[:size], more[:size], slice(at, at + size)
            came = self.needed.at(level, rows, arrival, one)
            now = np.maximum(self.before.at(level, rows, end, two), came, out=one)
            if len(start):
                start[rows] = now
            took = gathered(block.seconds, self.place[rows], two)
            ends = np.add(now, took, out=end[here])
            sent = np.maximum(self.queued.at(level, rows, arrival, one), ends, out=one)
            np.add(sent, gathered(block.transfer_s, self.kind[rows], two), out=arrival[here])
            if self.last[level]:
                np.maximum(makespan, ends.max(axis=0), out=makespan)
        return makespan


def _looks(system: System, rows: Ints, kind: Ints) -> tuple[Ints, Ints, Ints]:
    """Which of `rows` each has before it on its device, needs, and has before it on its link."""
    number = np.full(len(system.program), -1)
    number[rows] = np.arange(len(rows))
    device, link, source = (column[rows] for column in (
        system.program.device, system.link, system.source))
    # What is not sent queues too, behind its like, where nobody looks: lest a run have gaps.
    alike = kind[rows] * system.program.devices + device
    queue = np.where(link >= 0, link, len(system.receiver) + alike)
    return _previous(device), np.where(source >= 0, number[source], -1), _previous(queue)


def _previous(key: Ints) -> Ints:
    """The nearest place before each with the same key; −1: none."""
    order = np.argsort(key, kind="stable")
    same = np.diff(key[order]) == 0
    previous = np.full(len(key), -1)
    previous[order[1:][same]] = order[:-1][same]
    return previous
