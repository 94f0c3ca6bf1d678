"""The critical path: the longest chain of durations and messages that a run could not do without.

A runtime adds something of its own (waking threads, launching, synchronising) where the run took
longer than this path of its own durations.
"""

from __future__ import annotations

import numpy as np

from analysis.metrics.chain import Chains
from sim.op import Op
from sim.order.check import execution_order
from sim.trace import Trace


def critical_path_s(trace: Trace) -> float:
    """Seconds of the longest path through a trace: instructions of a device in their order, each
    after those it needs.

    An instruction counts with its recorded duration, a message with the time from its leaving to
    its arrival; waiting counts nothing.  Raises InvalidProgramError where the rows are no complete
    program.
    """
    chains = Chains(trace)
    program, device = chains.program, chains.program.device.tolist()
    seconds = np.where(trace.op <= Op.U, trace.busy_s, 0.0)[chains.order].tolist()
    done = [0.0] * len(trace)
    free = [0.0] * program.devices
    for row in execution_order(program):
        ready = free[device[row]]
        for before, way in chains.needs(row):
            ready = max(ready, done[before] + way)
        done[row] = free[device[row]] = ready + seconds[row]
    return max(free, default=0.0)


def critical_path_ratio(trace: Trace) -> float:
    """The makespan over the longest path of the run's own durations and messages: 1 at best."""
    path = critical_path_s(trace)
    return float(trace.end_s.max()) / path if path > 0 else 1.0
