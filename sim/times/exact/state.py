"""How far a system has been executed: heads, clocks, links, and the times found so far."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sim import kernels as passes
from sim.arrays import Floats
from sim.kernels.arrivals import expected
from sim.times.exact.recurrence import advance
from sim.times.exact.system import System

Times = tuple[Floats, Floats, Floats, Floats]
NOT_SENT = -1.0


class State:
    """A system in execution; `step` advances it.

    Times are columns by row in one block of memory, seen through `view` (a copy as a list for plain
    loops over everything, a memoryview where few rows are touched, the array itself where the
    recurrence is compiled).
    """

    def __init__(self, system: System, view: Callable[[Any], Any],
                 recurrence: Callable[..., None] = advance) -> None:
        self.system, self.recurrence = system, recurrence
        program, size = system.program, len(system.program)
        self.found = np.empty((4, size))
        _expect(system, *self.found[2:])
        self.times = tuple(view(column) for column in self.found)
        self.head = view(np.array(program.offsets[:-1]))
        self.clock = view(np.zeros(program.devices))
        self.free = view(np.zeros(len(system.receiver)))
        self.stack = view(np.zeros(3 * program.devices, dtype=np.int64))
        self.columns = tuple(view(column) for column in (
            system.target, system.seconds, system.link, system.transfer_s, system.receiver))
        gates, slow = system.gates, (program.rows.stage, system.window_stage,
                                     system.window_s.ravel())
        self.slow = tuple(view(column) for column in slow)
        self.gates = tuple(view(column) for column in (
            gates.missing.copy(), np.zeros(len(gates.missing)), gates.exchange_s, gates.first,
            gates.opens, gates.device))

    def step(self, limit: Any) -> None:
        """Execute every stream as far as it can go, up to `limit` (rows by device)."""
        self.recurrence(self.head, limit, self.clock, self.free, self.stack, *self.columns,
                        self.slow, self.gates, *self.times)

    def finish(self) -> bool:
        """Execute everything; False where not all of it can be."""
        ends = np.array(self.system.program.offsets[1:])
        limit = ends.tolist() if isinstance(self.head, list) else ends
        self.step(limit)
        return bool((np.asarray(self.head) == ends).all())

    def settle(self) -> Times:
        """Start and end of every row; when what it waits for was sent, and was here (NaN: none)."""
        for column, seen in zip(self.found, self.times, strict=True):
            if isinstance(seen, list):
                column[:] = np.fromiter(seen, np.float64, len(column))
        start, end, sent, arrived = self.found
        return start, end, sent, arrived


def _expect(system: System, sent: Floats, arrived: Floats) -> None:
    """Before the run: −1 where a row waits for a message, NaN where for none."""
    if system.program.compiled:
        passes.compiled(expected)(system.target, sent, arrived)
        return
    sent[:] = arrived[:] = np.nan
    arrived[system.target[system.link >= 0]] = NOT_SENT


def as_list(column: Any) -> list[Any]:
    """For loops over every row in plain Python."""
    found: list[Any] = column.tolist()
    return found


def heads(state: State) -> list[int]:
    """Rows the devices are at."""
    return [int(head) for head in state.head]
