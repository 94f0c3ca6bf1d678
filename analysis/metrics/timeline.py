"""The passes of a pipeline: their names and version labels, and one mini-batch's round trip."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sim.op import Op
from sim.order.time_units import has_time_units as defined
from sim.order.time_units import time_unit, unit_horizon, version_unit
from sim.trace import Trace


@dataclass(frozen=True)
class Pass:
    """One pass of a round trip, with its version under both labellings.

    `start_s` is in seconds.  `time_unit`, `version_time_unit` and `horizon` are SpecTrain's (None
    off round-robin); `version_updates` and `staleness_updates` count the stage's own updates.
    `microbatch` counts from 0, None for a pass over the whole mini-batch.
    """

    stage: int
    op: str
    start_s: float
    time_unit: int | None
    version_time_unit: int | None
    horizon: int | None
    version_updates: int
    staleness_updates: float
    microbatch: int | None


def round_trip(trace: Trace, minibatch: int) -> list[Pass]:
    """The passes of one mini-batch (from 1) in the order they started.

    Raises ValueError naming the mini-batches there are.
    """
    if not 1 <= minibatch <= trace.shape.minibatches:
        raise ValueError(f"mini-batches are 1 to {trace.shape.minibatches}, got {minibatch}")
    wanted = (trace.minibatch == minibatch) & np.isin(trace.op, (Op.F, Op.B, Op.I, Op.W))
    rows = np.flatnonzero(wanted)
    order = np.lexsort((trace.stage[rows], trace.end_s[rows], trace.start_s[rows]))
    return [_pass(trace, int(row), has_time_units(trace)) for row in rows[order]]


def has_time_units(trace: Trace) -> bool:
    """Whether SpecTrain's time units are defined for this trace's pipeline.

    Under greedy dispatch the order is no longer the one the closed form describes.
    """
    pipeline = trace.header.pipeline
    return pipeline["dispatch"] == "static" and defined(pipeline["schedule"], trace.shape)


def _pass(trace: Trace, row: int, paper: bool) -> Pass:
    op, stage = Op(int(trace.op[row])), int(trace.stage[row])
    late = float(trace.staleness[row])
    minibatch, stages = trace.minibatch_of(row), trace.shape.stages
    version = int(trace.version_read[row])
    unit = time_unit(op, minibatch, stage, stages) if paper else None
    read = version_unit(op, minibatch, stage, stages, version) if paper else None
    whole = int(trace.count[row]) == trace.shape.microbatches
    return Pass(
        stage, op.name, float(trace.start_s[row]), unit, read,
        unit_horizon(op, stage, stages) if paper else None, version,
        int(late) if late.is_integer() else late,
        None if whole else int(trace.index[row]) % trace.shape.microbatches)


def as_json(passes: list[Pass]) -> list[dict[str, Any]]:
    """Passes as plain objects; `microbatch` only where one covers less than the mini-batch."""
    rows = [asdict(each) for each in passes]
    if all(row["microbatch"] is None for row in rows):
        for row in rows:
            del row["microbatch"]
    return rows


def name(trace: Trace, row: int) -> str:
    """What the papers write into a pass's box: `4F` a forward, the bare `4` its backward, `U4`.

    A micro-batch is a letter, `4A` forwards and `4a` backwards; beyond 26 a number, `4F27` and
    `4B27`.  The halves of a backward end in `i` and `w`.
    """
    n, op = trace.shape.microbatches, Op(int(trace.op[row]))
    index = int(trace.index[row])
    micro, minibatch = index % n, index // n + 1
    if op is Op.U:
        return f"U{minibatch}"
    letter = chr(ord("A") + micro) if n <= 26 else f"F{micro}"
    if op is Op.F:
        return f"{minibatch}{'F' if n == 1 else letter}"
    half = {Op.I: "i", Op.W: "w"}.get(op, "")
    cut = "" if int(trace.count[row]) == n else letter.lower() if n <= 26 else f"B{micro}"
    return f"{minibatch}{cut}{half}"


def version_label(trace: Trace, row: int, labels: str) -> str:
    """The version a row read: `W4` by time unit, `v3` by updates."""
    if labels == "time-unit":
        unit = version_unit(Op(int(trace.op[row])), trace.minibatch_of(row),
                            int(trace.stage[row]), trace.shape.stages,
                            int(trace.version_read[row]))
        return f"W{unit}"
    return f"v{int(trace.version_read[row])}"


def json_cells(trace: Trace) -> list[dict[str, Any]]:
    """Every pass of a run with its device, times and version, as plain objects."""
    rows, paper = np.flatnonzero(trace.op <= Op.W).tolist(), has_time_units(trace)
    return [{"device": int(trace.device[row]), "minibatch": trace.minibatch_of(row),
             **vars(_pass(trace, row, paper)), "end_s": float(trace.end_s[row])} for row in rows]
