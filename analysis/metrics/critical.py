"""The chain of instructions and messages that decided how long a run took."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.arrays import Floats, Ints
from sim.op import Op
from sim.order.needs import dependencies
from sim.trace import Trace


@dataclass(frozen=True)
class CriticalPath:
    """The chain a run's end goes back to: each of its instructions began when the one before it,
    on its device or by a message, let it.

    `rows` are the trace's rows in the order they ran, shape (instructions,).  Of the makespan,
    `compute_s` seconds are their durations and `message_s` messages on their way between them;
    `other_s` is neither: what a real device takes to start, and waiting for other workers.
    """

    rows: Ints
    compute_s: float
    message_s: float
    other_s: float


def critical_path(trace: Trace) -> CriticalPath:
    """The chain of instructions that decided how long a run took, back from its last end.

    An instruction waited for whatever of its device's previous one and of what it needs was there
    last; where both came at once it is the device's own [choice].
    Raises InvalidProgramError where the rows are no complete program.
    """
    order = np.argsort(trace.device, kind="stable")
    start, end, op = trace.start_s[order], trace.end_s[order], trace.op[order]
    program = trace.program()
    before, after = dependencies(program)
    by_row = np.argsort(after, kind="stable")
    before = before[by_row]
    first = np.searchsorted(after[by_row], np.arange(len(trace) + 1)).tolist()
    way = np.clip(np.nan_to_num((trace.arrived_s - trace.sent_s)[order]), 0.0, None)
    carried = program.arrives_from
    heads = set(program.offsets)
    row, path, messages = int(np.argmax(end)), [], 0.0
    seen = np.zeros(len(trace), dtype=bool)
    while row >= 0 and not seen[row]:  # clocks that disagree can lead round in a circle
        seen[row] = True
        path.append(row)
        previous = row - 1 if row not in heads else -1
        best, ready, arrives = previous, end[previous] if previous >= 0 else -1.0, 0.0
        for need in before[first[row]:first[row + 1]].tolist():
            delay = float(way[row]) if need == carried[row] else 0.0
            if end[need] + delay > ready:
                best, ready, arrives = need, end[need] + delay, delay
        row, messages = best, messages + arrives
    rows = np.array(path[::-1], dtype=np.int64)
    compute = float(_seconds(start, end, op)[rows].sum())
    other = max(0.0, float(end.max()) - compute - messages)
    return CriticalPath(order[rows], compute, messages, other)


def _seconds(start: Floats, end: Floats, op: Ints) -> Floats:
    """How long each row computes, (rows,): a message is the wait for it, not work."""
    seconds: Floats = np.where(op <= Op.U, end - start, 0.0)
    return seconds
