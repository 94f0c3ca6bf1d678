"""How far a system has been executed: heads, clocks, links, and the times found so far."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sim.kernels.pairs import NUMPY, Kernels
from sim.kernels.recurrence import (
    ADVANCE,
    EXPECT_MESSAGES,
    Column,
    OpenGates,
    Position,
    RowTimes,
    SlowWindows,
    Work,
)
from sim.times.exact.equations import MaxPlusSystem
from sim.times.timeline import Times

View = Callable[[Any], Any]


class State:
    """A system in the middle of its execution; `step` goes on with it.

    Times are columns by row in one block of memory, seen through `view` (a copy as a list for plain
    loops over everything, a memoryview where few rows are touched, the array itself where the
    recurrence is compiled).
    """

    def __init__(self, system: MaxPlusSystem, view: View, kernels: Kernels = NUMPY) -> None:
        self.system, self._advance = system, kernels.of(ADVANCE)
        self.found = np.empty((4, len(system.program)))
        kernels.of(EXPECT_MESSAGES)(system.target, *self.found[2:])
        self.times = RowTimes(*map(view, self.found))
        self.position = _start(system, view)
        self._work = Work(*map(view, (system.target, system.seconds, system.link,
                                      system.transfer_s, system.latency_s, system.receiver)))
        self._windows = SlowWindows(*map(view, (
            system.program.rows.stage, system.window_stage, system.window_s.ravel())))
        self._gates = _closed(system, view)

    def step(self, limit: Column[int]) -> None:
        """Execute every stream as far as it can go, up to `limit` (rows by device)."""
        self._advance(self.position, limit, self._work, self._windows, self._gates, self.times)

    def finish(self) -> bool:
        """Execute everything that is left; False where not all of it can be executed."""
        ends = np.array(self.system.program.offsets[1:])
        self.step(ends.tolist() if isinstance(self.position.head, list) else ends)
        return bool((np.asarray(self.position.head) == ends).all())

    def settle(self) -> Times:
        """The times of every row as arrays: start, end, sent and arrived, each of shape (rows,)."""
        for column, seen in zip(self.found, self.times, strict=True):
            if isinstance(seen, list):
                column[:] = np.fromiter(seen, np.float64, len(column))
        start, end, sent, arrived = self.found
        return start, end, sent, arrived

    @property
    def heads(self) -> list[int]:
        """The row that each device is at."""
        head = self.position.head
        return [int(head[device]) for device in range(len(head))]


def _start(system: MaxPlusSystem, view: View) -> Position:
    """Every device at its first row, at 0 s, and no link in use."""
    program = system.program
    return Position(view(np.array(program.offsets[:-1])), view(np.zeros(program.devices)),
                    view(np.zeros(len(system.receiver))),
                    view(np.zeros(3 * program.devices, dtype=np.int64)))


def _closed(system: MaxPlusSystem, view: View) -> OpenGates:
    """Gates that no row has opened yet."""
    gates = system.gates
    return OpenGates(*map(view, (
        gates.missing.copy(), np.zeros(len(gates.missing)), gates.exchange_s, gates.first,
        gates.opens, gates.device)))


def as_list(column: Any) -> list[Any]:
    """The view of a column for loops over every row in plain Python: a list."""
    found: list[Any] = column.tolist()
    return found


def as_array(column: Any) -> Any:
    """The view of a column for compiled loops: the array itself."""
    return column
