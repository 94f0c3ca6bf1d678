"""What a trace says of itself: title, shape, sizes and whether time units are defined."""

from __future__ import annotations

from math import isfinite
from typing import Any

from analysis.metrics.timeline import has_time_units
from figures.explorer.held import sizes
from sim.trace import Trace


def about(trace: Trace, name: str) -> dict[str, Any]:
    """What a trace says of itself as plain JSON, columns left out; `name` is the file's."""
    shape = trace.shape
    return {"name": name, "facts": facts(trace), "stages": shape.stages,
            "minibatches": shape.minibatches, "microbatches": shape.microbatches,
            "chunks": shape.chunks, "workers": shape.workers,
            "workerDevices": shape.worker_devices, "timeUnits": has_time_units(trace),
            "sizes": sizes(trace), "roomBytes": _room(trace)}


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


def _room(trace: Trace) -> float | None:
    """Bytes of activations that the experiment says a device has room for; None without a limit."""
    limit = trace.header.experiment.get("cluster", {}).get("activation_limit_bytes")
    return limit if isinstance(limit, int | float) and isfinite(limit) else None
