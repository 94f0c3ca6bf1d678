"""A profile out of a measured run: median seconds of every operation of a stage."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.errors import TraceError
from sim.op import Op
from sim.times.profile import Profile, Spread, StageProfile
from sim.trace import Trace

KEYS = {Op.F: "forward_s", Op.B: "backward_s", Op.I: "input_backward_s",
        Op.W: "weight_backward_s", Op.U: "update_s"}


def profile_of(trace: Trace) -> Profile:
    """What a run says that each stage takes, for `costs.profile`: medians of one micro-batch.

    Of a stage whose backwards come in halves alone, a backward takes both.  The link's latency is
    the median of what messages took, where any device stood idle for one.
    Raises TraceError where a stage has no forwards or backwards.
    """
    stages = [StageProfile(**_stage(trace, stage)) for stage in range(trace.shape.stages)]
    way = trace.arrived_s - trace.sent_s
    way = way[way > 0]  # neither unknown nor there at once
    return Profile(format="pipestale-profile", version=1, stages=tuple(stages),
                   latency_s=float(np.median(way)) if len(way) else 0.0,
                   device=", ".join(trace.header.gpu.devices) if trace.header.gpu else "",
                   notes={"made of": "the median of a run's instructions, with what ran beside"})


def _stage(trace: Trace, stage: int) -> dict[str, Any]:
    found: dict[str, Any] = {"spread": {}}
    for op, name in KEYS.items():
        rows = (trace.stage == stage) & (trace.op == op)
        if not rows.any():
            continue
        each = 1 if op is Op.U else trace.count[rows]
        seconds = (trace.end_s - trace.start_s)[rows] / each
        low, middle, high = np.percentile(seconds, (25, 50, 75)).tolist()
        found[name] = middle
        found["spread"][name] = Spread(median=middle, iqr=high - low, repeats=int(rows.sum()))
    halves = [found.get(KEYS[op]) for op in (Op.I, Op.W)]
    if "backward_s" not in found and None not in halves:
        found["backward_s"] = sum(halves)
    for name in ("forward_s", "backward_s"):
        if name not in found:
            raise TraceError(f"stage {stage} has no instruction that says its {name}")
    return found
