"""The critical path: the longest chain of durations and messages that a run could not do without.

A runtime adds something of its own (waking threads, launching, synchronising) where the run took
longer than this path of its own durations.
"""

from __future__ import annotations

import numpy as np

from sim.op import Op
from sim.order.check import execution_order
from sim.order.needs import dependencies
from sim.trace import Trace


def critical_path_s(trace: Trace) -> float:
    """Seconds of the longest path through a trace: instructions of a device in their order, each
    after those it needs.

    An instruction counts with its recorded duration, a message with the time from its leaving to
    its arrival; waiting counts nothing.  Raises InvalidProgramError where the rows are no complete
    program.
    """
    program = trace.program()
    compute = trace.op <= Op.U
    seconds = np.where(compute, trace.end_s - trace.start_s, 0.0).tolist()
    way = np.clip(np.nan_to_num(trace.arrived_s - trace.sent_s), 0.0, None).tolist()
    source, device = program.arrives_from.tolist(), program.device.tolist()
    needed: list[list[int]] = [[] for _ in range(len(trace))]
    for before, after in zip(*(side.tolist() for side in dependencies(program)), strict=True):
        needed[after].append(before)
    done = [0.0] * len(trace)
    free = [0.0] * program.devices
    for row in execution_order(program):
        ready = free[device[row]]
        for before in needed[row]:
            ready = max(ready, done[before] + (way[row] if before == source[row] else 0.0))
        done[row] = free[device[row]] = ready + seconds[row]
    return max(free, default=0.0)


def critical_path_ratio(trace: Trace) -> float:
    """The makespan over the longest path of the run's own durations and messages: 1 at best."""
    path = critical_path_s(trace)
    return float(trace.end_s.max()) / path if path > 0 else 1.0
