"""A trace's summary for the explorer's panel: its numbers, and the path that decided its length."""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.metrics import staleness as late
from analysis.metrics.critical import CriticalPath
from analysis.metrics.timing import averaged_over, steady_of, timing, why_no_rate
from sim.rows import plain
from sim.trace import Trace


def summary(trace: Trace, path: CriticalPath) -> dict[str, Any]:
    """The numbers of a trace as plain JSON; what is not known is None.

    Times in seconds, shares from 0 to 1, staleness in updates.  `steady_from_s` is when the first
    mini-batch of the steady state starts (of all, where there is none), `device_s` the seconds of
    the critical path that each device computes.
    """
    found, first = timing(trace), averaged_over(trace.shape)[0]
    learnt, gpu = trace.header.training, trace.header.gpu
    on_path = np.bincount(trace.device[path.rows],
                          (trace.end_s - trace.start_s)[path.rows], trace.shape.devices)
    values = {
        "makespan_s": found.makespan_s, "bubble": found.bubble_fraction,
        "comm_wait": found.comm_wait_fraction, "rate": found.throughput_minibatches_per_s,
        "steady_rate": found.steady_throughput_minibatches_per_s,
        "why_no_rate": why_no_rate(trace), "steady": steady_of(trace.shape),
        "steady_from_s": float(trace.start_s[trace.minibatch == first].min()),
        "staleness": {name: late.mean_staleness(trace, name) for name in late.PASSES},
        "most_stale": late.max_staleness(trace),
        "versions_held": trace.header.versions_held,
        "allocated_bytes": None if gpu is None else gpu.peak_bytes,
        "critical": {"rows": len(path.rows), "compute_s": path.compute_s,
                     "message_s": path.message_s, "other_s": path.other_s,
                     "device_s": on_path.tolist()},
        "diverged_at": None if learnt is None else learnt.diverged_at,
        "loss": None if learnt is None else learnt.final_loss,
        "accuracy": None if learnt is None else learnt.accuracy}
    return dict(plain(values))

