"""What each instruction of a run waited for: the links of the chains that explain its times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.arrays import Floats, Ints
from sim.errors import MistakeError
from sim.experiment.making import make_combine
from sim.order.needs import dependencies
from sim.order.program import Program
from sim.order.together import rows_of_pairs
from sim.trace import Trace
from sim.workers.synchronisation import copies_together, synchronised


@dataclass(frozen=True)
class Link:
    """What let an instruction start: `row` ended (−1: nothing, it is the first on its device), and
    `message_s` seconds later, where it came from another device, its message was there."""

    row: int
    message_s: float


class Chains:
    """For every row of a run, the one it waited for longest.

    Rows are those of the run's program, which lie device by device; `order` has the trace's row of
    each, (rows,), and `program` also the edges by which workers, or copies of a stage, wait for
    each other, as far as the run's experiment says: `joint` are the rows that wait so, and then
    for what they exchange.

    Raises InvalidProgramError where the rows are no complete program.
    """

    def __init__(self, trace: Trace) -> None:
        self.order: Ints = np.argsort(trace.device, kind="stable")
        self.start_s, self.end_s = trace.start_s[self.order], trace.end_s[self.order]
        self.program = waiting_program(trace)
        before, after = dependencies(self.program)
        by_row = np.argsort(after, kind="stable")
        self._before = before[by_row]
        self._first: list[int] = np.searchsorted(
            after[by_row], np.arange(len(trace) + 1)).tolist()
        self.message_s: Floats = np.clip(np.nan_to_num(
            (trace.arrived_s - trace.sent_s)[self.order]), 0.0, None)
        self.sender = self.program.arrives_from
        self.joint = set(self.program.sync[1].tolist())
        self._heads = set(self.program.offsets)
        first, second = rows_of_pairs(self.program.tables, self.program.pairs)
        both = list(zip(first.tolist(), second.tolist(), strict=True))
        self._pair = {row: pair for pair in both for row in pair}

    def link(self, row: int) -> Link:
        """What a row waited for: whatever of its device's previous one and of what it needs was
        there last; where both came at once it is the device's own [choice].

        The two of a pair start together, when what either of them needs is there.
        """
        rows = self._pair.get(row, (row,))
        previous = rows[0] - 1 if rows[0] not in self._heads else -1
        best, ready, message = previous, self.end_s[previous] if previous >= 0 else -1.0, 0.0
        for each in rows:
            for need in self._before[self._first[each]:self._first[each + 1]].tolist():
                delay = float(self.message_s[each]) if need == self.sender[each] else 0.0
                if need not in rows and self.end_s[need] + delay > ready:
                    best, ready, message = need, self.end_s[need] + delay, delay
        return Link(best, message)


def waiting_program(trace: Trace) -> Program:
    """The order that a run executed, with the edges by which its workers, or the copies of a stage,
    waited for each other.

    They are left out where the run's experiment does not say how it did.
    """
    program, workers = trace.program(), trace.header.experiment.get("workers", {})
    try:
        if program.shape.workers > 1:
            return synchronised(program, make_combine(workers.get("combine", "all-reduce")))
        if program.several and workers.get("copies", "all-reduce") != "apart":
            return copies_together(program)
    except MistakeError:  # an experiment that another tool wrote may name anything
        return program
    return program
