"""Instructions that a device ran as one: pairs, as a trace shows them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.op import Op
from sim.trace import Trace


def with_the_one_before(trace: Trace) -> NDArray[np.bool_]:
    """Whether each row, (rows,), was run as one with the row before it.

    A device does one thing at a time, so two passes of it with one start and one end, and time
    between, are one (`costs.overlapped_s`): its time counts once.
    """
    found = np.zeros(len(trace), dtype=bool)
    device, start, end = trace.device, trace.start_s, trace.end_s
    found[1:] = ((device[1:] == device[:-1]) & (start[1:] == start[:-1]) & (end[1:] == end[:-1])
                 & (end[1:] > start[1:]) & (trace.op[1:] <= Op.U) & (trace.op[:-1] <= Op.U))
    return found


def once_s(trace: Trace) -> NDArray[np.float64]:
    """Seconds each row computes, shape (rows,): 0 for messages and a pair's second row."""
    counts = (trace.op <= Op.U) & ~with_the_one_before(trace)
    return np.where(counts, trace.end_s - trace.start_s, 0.0)
