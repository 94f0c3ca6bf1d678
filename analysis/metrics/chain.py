"""What each instruction of a run waited for: the links of the chains that explain its times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.arrays import Floats, Ints
from sim.errors import MistakeError
from sim.experiment.making import make_combine
from sim.op import Op
from sim.order.needs import dependencies
from sim.order.program import Program
from sim.times.cluster import Cluster, Link, Tied
from sim.times.expanded.expand import waits_of
from sim.trace import Trace
from sim.workers.synchronisation import copies_together, synchronised


@dataclass(frozen=True)
class Cause:
    """What let an instruction start: `row` ended (−1: nothing, it is the first on its device), and
    `message_s` seconds later, where it came from another device, its message was there."""

    row: int
    message_s: float


class Chains:
    """For every row of a run, the one it waited for longest, by its order and its machine's rules.

    Rows are those of the run's `program`, which lie device by device; `order` has the trace's row
    of each, (rows,), `start_s` and `end_s` its times.  `sender`, (rows,), is the row whose message
    each waits for (−1: none), and `message_s` the seconds that was under way; `joint` are the rows
    that wait for other workers, copies of their stage, or a stage they are tied to, and then for
    what these exchange.

    Raises InvalidProgramError where the rows are no complete program.
    """

    def __init__(self, trace: Trace) -> None:
        self.order: Ints = np.argsort(trace.device, kind="stable")
        self.start_s, self.end_s = trace.start_s[self.order], trace.end_s[self.order]
        self.program = waiting_program(trace)
        self.sender, more = waits_of(self.program, _machine(trace, self.program))
        heard = np.flatnonzero(self.sender >= 0)
        before, after = (np.concatenate(side) for side in zip(
            dependencies(self.program), more, (self.sender[heard], heard), strict=True))
        by_row = np.argsort(after, kind="stable")
        self._before = before[by_row]
        self._first: list[int] = np.searchsorted(
            after[by_row], np.arange(len(trace) + 1)).tolist()
        self.message_s: Floats = np.clip(np.nan_to_num(
            (trace.arrived_s - trace.sent_s)[self.order]), 0.0, None)
        tied = more[1][self.program.rows.op[more[1]] == Op.U]
        self.joint: Ints = np.unique(np.concatenate((self.program.sync[1], tied)))
        self._waits_jointly = set(self.joint.tolist())
        self._heads = set(self.program.offsets)
        self._second = np.append(trace.with_previous[self.order], False).tolist()

    def cause(self, row: int) -> Cause:
        """What a row waited for: whatever of its device's previous one and of what it needs was
        there last; where both came at once it is the device's own [choice].

        A pair that ran as one waited for what its two need.
        """
        issued = self.issued(row)
        previous = issued.start - 1 if issued.start not in self._heads else -1
        best, ready, message = previous, self.end_s[previous] if previous >= 0 else -1.0, 0.0
        for need, delay in (pair for each in issued for pair in self.needs(each)):
            if need not in issued and self.end_s[need] + delay > ready:
                best, ready, message = need, self.end_s[need] + delay, delay
        return Cause(best, message)

    def needs(self, row: int) -> Iterator[tuple[int, float]]:
        """The rows that a row needs, and how many seconds after each has ended that is here."""
        for need in self._before[self._first[row]:self._first[row + 1]].tolist():
            yield need, float(self.message_s[row]) if need == self.sender[row] else 0.0

    def issued(self, row: int) -> range:
        """The rows that were issued as one with a row, itself among them."""
        first = row - int(self._second[row])
        return range(first, first + 1 + int(self._second[first + 1]))

    def waits_jointly(self, row: int) -> bool:
        """Whether a row is one of the `joint`."""
        return row in self._waits_jointly


def waiting_program(trace: Trace) -> Program:
    """The order that a run executed, with the edges by which its workers, or the copies of a stage,
    waited for each other.

    They are left out where the run's experiment does not say how it did.
    """
    program, workers = trace.program(), trace.header.experiment.get("workers", {})
    try:
        rule = workers.get("combine", "all-reduce")
        if program.shape.workers > 1:
            return (synchronised(program, make_combine(rule)) if isinstance(rule, str | dict)
                    else program)
        if program.several and workers.get("copies", "all-reduce") != "apart":
            return copies_together(program)
    except MistakeError:  # an experiment that another tool wrote may name anything
        return program
    return program


def _machine(trace: Trace, program: Program) -> Cluster:
    """The machine of a run as far as it says what waits for what; nothing takes any time on it."""
    told = trace.header.experiment.get("cluster", {})
    received = np.isin(program.rows.op, (Op.RECV_F, Op.RECV_B))
    posted = received.any() and np.isnan(trace.arrived_s[trace.op > Op.U]).all()
    none = np.zeros(program.shape.stages)
    return Cluster(Link(), none[1:], none, receives="posted" if posted else "holding",
                   sends=str(told.get("sends", "buffered")),
                   tied=tuple(Tied(pair, 0.0) for pair in _ties(told.get("tied"), len(none))))


def _ties(told: Any, stages: int) -> Iterator[tuple[int, int]]:
    """The pairs of stages that are tied; what another tool wrote may be anything, and is left
    out."""
    for each in told if isinstance(told, list) else ():
        pair = each.get("stages") if isinstance(each, dict) else None
        if isinstance(pair, list) and len(pair) == 2 and all(
                type(stage) is int and 0 <= stage < stages for stage in pair):
            yield pair[0], pair[1]
