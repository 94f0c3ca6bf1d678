"""What a trace says of itself: title, shape and time units."""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.metrics.timeline import has_time_units
from sim.arrays import Ints
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
