"""The chain of instructions and messages that decided how long a run took."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.metrics.chain import Chains
from sim.arrays import Floats, Ints
from sim.op import Op
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


def critical_path(trace: Trace, chains: Chains | None = None) -> CriticalPath:
    """The chain of instructions that decided how long a run took, back from its last end.

    What each waited for is `Chains.cause`; a pair that ran as one stands in the path as the one of
    its two that the path came by.  `chains` are the trace's, where they have been made already.
    Raises InvalidProgramError where the rows are no complete program.
    """
    chains = chains or Chains(trace)
    row, path, messages = int(np.argmax(chains.end_s)), [], 0.0
    seen = np.zeros(len(trace), dtype=bool)
    while row >= 0 and not seen[row]:  # clocks that disagree can lead round in a circle
        seen[chains.issued(row)] = True
        path.append(row)
        cause = chains.cause(row)
        row, messages = cause.row, messages + cause.message_s
    rows = chains.order[np.array(path[::-1], dtype=np.int64)]
    compute = float(_seconds(trace)[rows].sum())
    other = max(0.0, float(chains.end_s.max()) - compute - messages)
    return CriticalPath(rows, compute, messages, other)


def _seconds(trace: Trace) -> Floats:
    """Seconds each row of a path computes, (rows,): a message is the wait for it, not work."""
    seconds: Floats = np.where(trace.op <= Op.U, trace.end_s - trace.start_s, 0.0)
    return seconds
