"""Segments, the rows between two messages: what plain Python has to look at one by one.

A segment begins where a row waits for a message or sends one; what follows on the device until the
next such row follows without a gap.  So a segment's start gives the start of each of its rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.arrays import Floats, Ints
from sim.times.costs import TICK
from sim.times.exact.equations import MaxPlusSystem


@dataclass(frozen=True)
class Segments:
    """A system's rows cut into segments, each of which begins with a row that has a message.

    Columns by segment, shape (segments,), in the order of the rows: `row` is the first one,
    `seconds` the time of the whole, `source` the segment whose message it waits for and `link` the
    number of the link that its own takes (−1: none of either).  `lag_s`, shape (rows,), is by row
    the seconds from its segment's start to its own.
    """

    system: MaxPlusSystem
    row: Ints
    seconds: Floats
    source: Ints
    link: Ints
    lag_s: Floats

    @classmethod
    def of(cls, system: MaxPlusSystem) -> Segments:
        """A system's rows cut into segments."""
        program = system.program
        begins = (system.source >= 0) | (system.link >= 0)
        firsts = np.array(program.offsets[:-1])
        begins[firsts[np.diff(program.offsets) > 0]] = True
        row = np.flatnonzero(begins)
        number = np.cumsum(begins, dtype=np.int32) - 1
        ticks = np.rint(system.seconds / TICK).astype(np.int64)  # whole: no sum of them rounds
        before = np.cumsum(ticks) - ticks
        lag = before - np.repeat(before[row], np.diff(row, append=len(program)))
        source = system.source[row]
        seconds: Floats = np.add.reduceat(ticks, row) * TICK
        return cls(system, row, seconds,
                   np.where(source >= 0, number[source], -1), system.link[row],
                   lag.astype(np.float64) * TICK)

    @property
    def until_sent_s(self) -> Floats:
        """Seconds from a segment's start to the sending of its message, shape (segments,)."""
        return self.system.seconds[self.row]

    @property
    def transfer_s(self) -> Floats:
        """Seconds each segment's message holds its link, shape (segments,)."""
        return self.system.transfer_s[self.row]

    @property
    def latency_s(self) -> Floats:
        """Seconds from then to the message's arrival, shape (segments,)."""
        late = self.system.latency_s
        return late[self.row] if late.size else np.zeros(len(self.row))

    def starts_of_rows(self, start: Floats) -> Floats:
        """Start in seconds of each row, shape (rows,), from that of each segment, (segments,)."""
        return np.repeat(start, np.diff(self.row, append=len(self.lag_s))) + self.lag_s
