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
    `other_s` is neither: what a real device takes to start, and the exchange of workers, or of
    copies of a stage, that have waited for each other.
    """

    rows: Ints
    compute_s: float
    message_s: float
    other_s: float


def critical_path(trace: Trace, chains: Chains | None = None) -> CriticalPath:
    """The chain of instructions that decided how long a run took, back from its last end.

    `chains` are the trace's, where they have been made already.
    Raises InvalidProgramError where the rows are no complete program.
    """
    chains = chains or Chains(trace)
    order, start, end = chains.order, chains.start_s, chains.end_s
    row, path, messages = int(np.argmax(end)), [], 0.0
    seen = np.zeros(len(trace), dtype=bool)
    while row >= 0 and not seen[row]:  # clocks that disagree can lead round in a circle
        seen[row] = True
        path.append(row)
        link = chains.link(row)
        row, messages = link.row, messages + link.message_s
    rows = np.array(path[::-1], dtype=np.int64)
    compute = float(_seconds(start, end, trace.op[order])[rows].sum())
    other = max(0.0, float(end.max()) - compute - messages)
    return CriticalPath(order[rows], compute, messages, other)


def _seconds(start: Floats, end: Floats, op: Ints) -> Floats:
    """How long each row computes, (rows,): a message is the wait for it, not work."""
    seconds: Floats = np.where(op <= Op.U, end - start, 0.0)
    return seconds
