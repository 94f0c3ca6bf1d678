"""The chain of instructions and messages that decided how long a run took."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sim.arrays import Floats, Ints
from sim.op import Op
from sim.order.needs import dependencies
from sim.order.program import Program
from sim.times.cluster import Cluster, Link, Tied
from sim.times.expanded.expand import waits_of
from sim.trace import Trace


@dataclass(frozen=True)
class CriticalPath:
    """The chain a run's end goes back to: each of its instructions began when the one before it,
    on its device or by a message, let it.

    `rows` are the trace's rows in the order they ran, shape (instructions,).  Of the makespan,
    `compute_s` seconds are their durations and `message_s` messages on their way between them;
    `other_s` is neither: what a real device takes to start, and waiting for exchanges.
    """

    rows: Ints
    compute_s: float
    message_s: float
    other_s: float


def critical_path(trace: Trace) -> CriticalPath:
    """The chain of instructions that decided how long a run took, back from its last end.

    An instruction waited for whatever of its device's previous one and of what it needs was there
    last; where both came at once it is the device's own [choice].  A pair that ran as one waited
    for what its two need, and stands in the path as the one of them that the path came by.
    Raises InvalidProgramError where the rows are no complete program.
    """
    order = np.argsort(trace.device, kind="stable")
    end, needs = trace.end_s[order], Needs.of(trace, order)
    second = np.append(trace.with_previous[order], False)
    heads = set(needs.program.offsets)
    row, path, messages = int(np.argmax(end)), [], 0.0
    seen = np.zeros(len(trace), dtype=bool)
    while row >= 0 and not seen[row]:  # clocks that disagree can lead round in a circle
        first = row - int(second[row])
        issued = range(first, first + 1 + int(second[first + 1]))
        seen[issued.start:issued.stop] = True
        path.append(row)
        previous = first - 1 if first not in heads else -1
        best, ready, arrives = previous, end[previous] if previous >= 0 else -1.0, 0.0
        for need, delay in (each for member in issued for each in needs.of_row(member)):
            if need not in issued and end[need] + delay > ready:
                best, ready, arrives = need, end[need] + delay, delay
        row, messages = best, messages + arrives
    rows = order[np.array(path[::-1], dtype=np.int64)]
    compute = float(_seconds(trace)[rows].sum())
    other = max(0.0, float(end.max()) - compute - messages)
    return CriticalPath(rows, compute, messages, other)


@dataclass(frozen=True)
class Needs:
    """What rows waited for, as the program of a trace and the rules of its machine have it.

    Row `r` needs the rows `before[first[r]] … before[first[r+1] - 1]`; `source`, (rows,), is the
    one whose message it waits for (−1: none), which was under way for `way_s` seconds, (rows,).
    """

    program: Program
    before: Ints
    first: list[int]
    source: list[int]
    way_s: list[float]

    @classmethod
    def of(cls, trace: Trace, order: Ints) -> Needs:
        """The needs of a trace's rows in an `order`, (rows,), by device.

        Raises InvalidProgramError where the rows are no complete program.
        """
        program = trace.program()
        source, more = waits_of(program, _machine(trace, program))
        before, after = (np.concatenate(side) for side in zip(dependencies(program), more, (
            source[source >= 0], np.flatnonzero(source >= 0)), strict=True))
        by_row = np.argsort(after, kind="stable")
        first = np.searchsorted(after[by_row], np.arange(len(trace) + 1))
        way = np.clip(np.nan_to_num((trace.arrived_s - trace.sent_s)[order]), 0.0, None)
        return cls(program, before[by_row], first.tolist(), source.tolist(), way.tolist())

    def of_row(self, row: int) -> Iterator[tuple[int, float]]:
        """The rows that a row needs, and how many seconds after each has ended that is here."""
        for need in self.before[self.first[row]:self.first[row + 1]].tolist():
            yield need, self.way_s[row] if need == self.source[row] else 0.0


def _machine(trace: Trace, program: Program) -> Cluster:
    """The machine of a run as far as it says what waits for what; nothing takes any time on it."""
    told = trace.header.experiment.get("cluster", {})
    received = np.isin(program.rows.op, (Op.RECV_F, Op.RECV_B))
    posted = received.any() and np.isnan(trace.arrived_s[trace.op > Op.U]).all()
    ties = [each.get("stages", []) for each in told.get("tied") or [] if isinstance(each, dict)]
    none = np.zeros(program.shape.stages)
    return Cluster(Link(), none[1:], none, receives="posted" if posted else "holding",
                   sends=str(told.get("sends", "buffered")),
                   tied=tuple(Tied((int(one), int(other)), 0.0) for one, other in ties))


def _seconds(trace: Trace) -> Floats:
    """Seconds each row of a path computes, (rows,): a message is the wait for it, not work."""
    seconds: Floats = np.where(trace.op <= Op.U, trace.end_s - trace.start_s, 0.0)
    return seconds
