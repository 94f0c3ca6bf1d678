"""The report on one trace: every metric of a run in one nested object."""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.metrics import staleness as late
from analysis.metrics.convergence import fluctuation
from analysis.metrics.memory import activation_changes, device_peaks, memory, steps
from analysis.metrics.timing import steady_of, timing, why_no_rate
from sim.rows import plain
from sim.trace import Trace


def report(trace: Trace) -> dict[str, Any]:
    """Every metric of a run by name, as `--json` prints it; what is not finite is None."""
    pipeline = trace.header.pipeline
    plan = late.plan_of(trace)
    values: dict[str, Any] = {
        "schedule": pipeline["schedule"],
        "mitigation": trace.header.mitigation,
        "stages": trace.shape.stages,
        "minibatches": trace.shape.minibatches,
        "microbatches": trace.shape.microbatches,
        "chunks": trace.shape.chunks,
        "devices": trace.shape.devices,
        "workers": _workers(trace),
        "dispatch": pipeline["dispatch"],
        "backward": pipeline["backward"],
        "steady_minibatches": steady_of(trace.shape),
        **_timing(trace),
        "staleness": _staleness(trace),
        "inconsistent_fraction": late.inconsistent_fraction(trace, plan),
        "vertical_inconsistent_fraction": late.vertical_inconsistent_fraction(trace, plan),
        "versions_held": trace.header.versions_held,
        "weight_distance": {p: late.mean_distance(trace, p, trace.weight_distance)
                            for p in late.PASSES},
        "weight_rmse": {p: late.mean_distance(trace, p, trace.weight_rmse) for p in late.PASSES},
        "weight_gap": {p: late.mean_gap(trace, p) for p in late.PASSES},
        "memory": _memory(trace, plan),
        **_training(trace),
        "accuracy_fluctuation": fluctuation(trace),
        "seed": trace.header.seed,
    }
    return dict(plain(values))


def _timing(trace: Trace) -> dict[str, Any]:
    found = timing(trace)
    return {
        "makespan_s": found.makespan_s,
        "bubble_fraction": found.bubble_fraction,
        "comm_wait_fraction": found.comm_wait_fraction,
        "utilisation": found.utilisation.tolist(),
        "throughput_minibatches_per_s": found.throughput_minibatches_per_s,
        "steady_throughput_minibatches_per_s": found.steady_throughput_minibatches_per_s,
        "steady_throughput_reason": why_no_rate(trace),
    }


def _staleness(trace: Trace) -> dict[str, Any]:
    return {
        **{p: late.mean_staleness(trace, p) for p in late.PASSES},
        "effective_backward": late.mean_staleness(trace, "backward", effective=True),
        "max": late.max_staleness(trace),
        "distribution": {p: late.distribution(trace, p) for p in late.PASSES},
    }


def _workers(trace: Trace) -> dict[str, Any] | None:
    """Of several workers: how they combine and how far each is ahead of the others it has seen."""
    between = trace.header.workers
    return None if between is None else {"count": trace.shape.workers, **between.as_dict()}


def _memory(whole: Trace, plan: Any) -> dict[str, Any]:
    """Of the first worker, which is as large as the others."""
    trace = whole.first_worker()
    held = memory(trace, plan)
    return {
        "weight_bytes": [s.weight_bytes for s in held],
        "peak_stash_bytes": [s.stash_bytes.peak for s in held],
        "peak_copy_bytes": [s.copy_bytes.peak for s in held],
        "peak_activation_bytes": [s.activation_bytes.peak for s in held],
        "peak_bytes": [s.total_bytes.peak for s in held],
        "peak_device_bytes": device_peaks(trace, held),
        "peak_in_flight": [peak_in_flight(trace, k) for k in range(trace.shape.stages)],
        "link_bytes_per_minibatch": _link_bytes(whole),
    }


def _link_bytes(trace: Trace) -> float:
    """Bytes that cross devices for each mini-batch: between stages, and between workers."""
    shape = trace.shape
    home = np.zeros(shape.stages, dtype=np.int64)
    home[trace.stage] = trace.device % shape.worker_devices
    boundary = np.array(trace.header.sizes.boundary_bytes)
    crossing = float(boundary[home[:-1] != home[1:]].sum())
    workers = trace.header.workers
    between = 0.0 if workers is None else workers.bytes_per_minibatch
    return 2 * crossing * shape.microbatches + float(between)


def peak_in_flight(trace: Trace, stage: int) -> int:
    """The most micro-batches of which a stage held activations at once."""
    return int(steps(activation_changes(trace, trace.stage == stage)).peak)


def _training(trace: Trace) -> dict[str, Any]:
    found = trace.header.training
    if found is None:
        return {"final_loss": None, "validation_loss": None, "accuracy": None,
                "diverged": None, "diverged_at": None}
    return {"final_loss": found.final_loss, "validation_loss": found.validation_loss,
            "accuracy": found.accuracy, "diverged_at": found.diverged_at,
            "diverged": found.diverged_at is not None}
