"""The report on one trace: every metric of a run in one nested object."""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.metrics import staleness as late
from analysis.metrics.convergence import fluctuation
from analysis.metrics.memory import (
    activation_changes,
    by_stage,
    device_peaks,
    memory,
    rows_of_copy,
    steps,
)
from analysis.metrics.timing import steady_of, timing, why_no_rate
from sim.rows import plain
from sim.trace import Trace
from sim.weights.versions import VersionPlan


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
        "homes": _homes(plan),
        "workers": _workers(trace),
        "tensor": _tensor(trace, plan),
        "dispatch": pipeline["dispatch"],
        "backward": pipeline["backward"],
        "steady_minibatches": steady_of(trace.shape),
        **_timing(trace),
        "staleness": _staleness(trace, plan),
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


def _homes(plan: VersionPlan) -> list[list[int]]:
    """The devices that each stage lives on, of the first worker."""
    copies = plan.program.copies
    return [copies.device[copies.of_stage(k)].tolist() for k in range(plan.program.shape.stages)]


def _timing(trace: Trace) -> dict[str, Any]:
    found = timing(trace)
    return {
        "makespan_s": found.makespan_s,
        "bubble_fraction": found.bubble_fraction,
        "comm_wait_fraction": found.comm_wait_fraction,
        "span_idle_s": found.span_idle_s.tolist(),
        "span_idle_fraction": found.span_idle_fraction,
        "utilisation": found.utilisation.tolist(),
        "throughput_minibatches_per_s": found.throughput_minibatches_per_s,
        "steady_throughput_minibatches_per_s": found.steady_throughput_minibatches_per_s,
        "steady_throughput_reason": why_no_rate(trace),
    }


def _staleness(trace: Trace, plan: VersionPlan) -> dict[str, Any]:
    return {
        **{p: late.mean_staleness(trace, p) for p in late.PASSES},
        "effective_backward": late.mean_staleness(trace, "backward", effective=True),
        "max": late.max_staleness(trace),
        "distribution": {p: late.distribution(trace, p) for p in late.PASSES},
        "slowed_fraction": late.slowed(trace, plan),
    }


def _workers(trace: Trace) -> dict[str, Any] | None:
    """Of several workers: how they combine and how far each is ahead of the others it has seen."""
    between = trace.header.workers
    return None if between is None else {"count": trace.shape.workers, **between.as_dict()}


def _tensor(trace: Trace, plan: VersionPlan) -> dict[str, Any] | None:
    """Where several devices share a stage: how many each stage, and the real devices in all, of
    which each of the program's stands for as many; None where every stage has devices of its own.
    """
    given = trace.header.experiment.get("tensor", {}).get("ways", 1)
    ways = np.broadcast_to(np.asarray(given, dtype=np.int64), (trace.shape.stages,))
    if (ways == 1).all():
        return None
    copies, own = plan.program.copies, np.zeros(plan.program.devices, dtype=np.int64)
    own[copies.device] = ways[copies.stage]  # stages on one device are shared by equally many
    return {"ways": ways.tolist(), "devices": int(own.sum()) * trace.shape.workers}


def _memory(whole: Trace, plan: VersionPlan) -> dict[str, Any]:
    """Of the first worker, which is as large as the others."""
    trace = whole.first_worker()
    held = memory(trace, plan)
    return {
        "weight_bytes": by_stage(held, lambda each: each.weight_bytes),
        "peak_stash_bytes": by_stage(held, lambda each: each.stash_bytes.peak),
        "peak_copy_bytes": by_stage(held, lambda each: each.copy_bytes.peak),
        "peak_activation_bytes": by_stage(held, lambda each: each.activation_bytes.peak),
        "peak_bytes": by_stage(held, lambda each: each.total_bytes.peak),
        "peak_device_bytes": device_peaks(trace, held),
        "peak_in_flight": peaks_in_flight(trace, plan),
        "link_bytes_per_minibatch": _link_bytes(whole, plan),
    }


def _link_bytes(trace: Trace, plan: VersionPlan) -> float:
    """Bytes that cross devices for each mini-batch: between stages, and between workers or copies
    of a stage."""
    shape, copies = plan.program.shape, plan.program.copies
    home = copies.device[copies.of]
    crossing = np.count_nonzero(home[:-1] != home[1:], axis=1) / shape.minibatches
    boundary = float(crossing @ np.array(trace.header.sizes.boundary_bytes))
    workers = trace.header.workers
    between = _copy_bytes(trace, plan) if workers is None else workers.bytes_per_minibatch
    return 2 * boundary + float(between)


def _copy_bytes(trace: Trace, plan: VersionPlan) -> float:
    """Bytes that copies of stages give each other for each mini-batch, on average."""
    copies, shape = plan.program.copies, plan.program.shape
    if trace.header.experiment.get("workers", {}).get("copies") == "apart":
        return 0.0
    total = 0.0
    for stage, weights in enumerate(trace.header.sizes.weight_bytes):
        updates = [len(copies.minibatches(copy, shape.microbatches))
                   for copy in copies.of_stage(stage)]
        total += 2 * (sum(updates) - max(updates)) * weights
    return total / shape.minibatches


def peaks_in_flight(trace: Trace, plan: VersionPlan) -> list[int]:
    """The most micro-batches of which each stage, or a copy of it, held activations at once."""
    copies, most = plan.program.copies, [0] * plan.program.shape.stages
    for copy, stage in enumerate(copies.stage.tolist()):
        mine = rows_of_copy(trace, plan, copy)
        most[stage] = max(most[stage], int(steps(activation_changes(trace, mine)).peak))
    return most


def _training(trace: Trace) -> dict[str, Any]:
    found = trace.header.training
    if found is None:
        return {"final_loss": None, "validation_loss": None, "accuracy": None,
                "diverged": None, "diverged_at": None}
    return {"final_loss": found.final_loss, "validation_loss": found.validation_loss,
            "accuracy": found.accuracy, "diverged_at": found.diverged_at,
            "diverged": found.diverged_at is not None}
