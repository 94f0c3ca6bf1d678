"""What a trace says of itself: title, shape, time units, and whether it can be drawn."""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.metrics.timeline import has_time_units
from sim.arrays import Ints
from sim.errors import TraceError
from sim.op import Op
from sim.order.time_units import version_unit
from sim.trace import Trace


def about(trace: Trace, name: str) -> dict[str, Any]:
    """What a trace says of itself as plain JSON, columns left out; `name` is the file's."""
    shape = trace.shape
    return {"name": name, "facts": facts(trace), "stages": shape.stages,
            "minibatches": shape.minibatches, "microbatches": shape.microbatches,
            "chunks": shape.chunks, "workers": shape.workers,
            "workerDevices": shape.worker_devices}


def facts(trace: Trace) -> str:
    """A trace in one line: measured or simulated, schedule, mitigation, workers, size."""
    pipeline, shape = trace.header.pipeline, trace.shape
    kind = "simulated" if trace.header.gpu is None else "measured"
    micro = f" × {shape.microbatches} micro-batches" if shape.microbatches > 1 else ""
    greedy = ", greedy dispatch" if _greedy(trace) else ""
    return (f"{kind}, {pipeline['schedule']}{greedy}, mitigation {trace.header.mitigation}, "
            f"{_workers(trace)}{shape.stages} stage{'s' * (shape.stages > 1)} × "
            f"{shape.minibatches} mini-batches{micro}")


def _workers(trace: Trace) -> str:
    between, count = trace.header.workers, trace.shape.workers
    if count == 1:
        return ""
    return f"{count} workers{f' with {between.combine}' if between else ''}, "


def _greedy(trace: Trace) -> bool:
    return bool(trace.header.pipeline.get("dispatch") == "greedy")


def check(trace: Trace, path: str) -> None:
    """Make sure that a trace can be drawn.  Raises TraceError with what keeps it from that."""
    if not len(trace):
        raise TraceError(f"{path}: there is no span in it")
    if not np.isin(trace.op, list(Op)).all():
        raise TraceError(f"{path}: operations are numbered 0 to {max(Op):d}")
    times = np.concatenate((trace.start_s, trace.end_s))
    if not np.isfinite(times).all() or (trace.end_s < trace.start_s).any():
        raise TraceError(f"{path}: spans without a start and an end after it")


def unit_labels(trace: Trace) -> Ints:
    """SpecTrain's time unit of the version each row read, (rows,); 0 where there is none.

    Under greedy dispatch the order is no longer the one the closed form describes.
    """
    if not has_time_units(trace):
        return np.zeros(len(trace), dtype=np.int64)
    stages = trace.shape.stages
    columns = (trace.op, trace.minibatch, trace.stage, trace.version_read)
    return np.array([version_unit(Op(op), i, k, stages, version) if op in (Op.F, Op.B) else 0
                     for op, i, k, version in zip(*(c.tolist() for c in columns), strict=True)])
