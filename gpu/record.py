"""From what the workers did to a trace with the simulator's columns."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from gpu.assembly import Assembly
from gpu.sizes import stage_sizes
from gpu.stage import Reading
from gpu.streams import CpuLane
from gpu.worker import Worker
from sim.costs import Floats
from sim.experiment import describe, distance_columns, staleness_columns
from sim.instruction import Ints, Op
from sim.numeric import Evaluation
from sim.program import Program
from sim.stage import Stage
from sim.trace import Trace
from sim.versions import VersionPlan

LAUNCH_MARGIN_S = 20e-6  # a device that ends this soon after its host was waiting for the host


@dataclass
class Piece:
    """What one device brings home; plain numbers and CPU tensors, so it can travel.

    Times are seconds of this process's host clock, in the order of execution.
    """

    device: int
    name: str
    rows: list[int]
    start_s: list[float]
    end_s: list[float]
    arrived_s: list[float]
    launch_bound: float | None
    host_s: float
    clock: dict[str, float]
    losses: dict[int, float]
    readings: dict[int, Reading]
    distances: list[tuple[float, float]]  # relative and RMSE, NaN where unknown
    update_rmse_sum: dict[int, float]
    peak_bytes: int | None = None


def collect(worker: Worker, stages: Sequence[Stage]) -> Piece:
    """Wait for a worker's device and read its marks; `stages` are all of the program's."""
    lane, spans = worker.lane, worker.finished
    alignment = lane.finish()
    worker.losses.poll()
    start, end = ([lane.seconds(getattr(s, side)) for s in spans] for side in ("start", "end"))
    came = [float("nan") if s.arrived is None else lane.seconds(s.arrived) for s in spans]
    own = worker.stages.items()
    relative, rmse = distance_columns(worker.program, stages)
    cpu = isinstance(lane, CpuLane)
    return Piece(
        worker.device, lane.name, [s.row for s in spans], start, end, came,
        None if cpu else launch_bound(worker, end), sum(s.left_s - s.asked_s for s in spans),
        {"residual_s": alignment.residual_s, "drift_s": alignment.drift_s},
        worker.losses.values, {k: s.reading for k, s in own},
        [(relative[s.row], rmse[s.row]) for s in spans], {k: s.update_rmse_sum for k, s in own},
        None if cpu else torch.cuda.max_memory_allocated(lane.device))


def launch_bound(worker: Worker, end_s: Sequence[float]) -> float:
    """Share of compute instructions whose pace was the host's: the device had caught up with it
    when the host had asked for the last of the instruction's work."""
    pairs = [(span.left_s, end) for span, end in zip(worker.finished, end_s, strict=True)
             if worker.program.rows.op[span.row] <= Op.U]
    return float(np.mean([end - left < LAUNCH_MARGIN_S for left, end in pairs])) if pairs else 0.0


def to_trace(assembly: Assembly, lowered: Program, pieces: Sequence[Piece],
             extra: Mapping[str, Any], final: Evaluation | None) -> Trace:
    """One trace of all pieces, with the rows of the assembly's program in the order executed."""
    order = np.array([row for piece in pieces for row in piece.rows])
    times = {name: _by_row(pieces, name, len(lowered)) for name in ("start_s", "end_s",
                                                                    "arrived_s")}
    zero = times["start_s"].min()
    start, end, came = (times[n] - zero for n in ("start_s", "end_s", "arrived_s"))
    source = lowered.arrives_from
    sent = np.where(source >= 0, end[source], np.nan)
    if not assembly.program.lowered:
        order, sent, came = _without_messages(lowered, order, sent, came)
    executed = _executed(assembly.program, lowered, order)
    plan = observed_plan(executed, assembly.plan, pieces)
    read, staleness, effective = staleness_columns(plan)
    applied = plan.applied[executed.rows.stage, executed.rows.index]
    distance = np.full((len(lowered), 2), np.nan)
    for piece in pieces:
        distance[piece.rows] = piece.distances
    loss = _losses(lowered, pieces)
    header = _header(assembly, pieces, extra, final)
    header["training"]["diverged_at"] = diverged_at(assembly, loss)
    op, stage, index, count = executed.rows
    return Trace(
        header, executed.device, op, stage, index, count, start[order],
        end[order], sent[order], came[order], read, applied, staleness, effective,
        distance[order, 0], distance[order, 1],
        {"minibatch_loss": loss})


def _by_row(pieces: Sequence[Piece], name: str, size: int) -> Floats:
    column = np.full(size, np.nan)
    for piece in pieces:
        column[piece.rows] = getattr(piece, name)
    return column


def _without_messages(lowered: Program, order: Ints, sent: Floats, came: Floats
                      ) -> tuple[Ints, Floats, Floats]:
    """Compute rows alone; a message's times go to the row behind its RECV."""
    received = np.flatnonzero(lowered.arrives_from >= 0)
    sent, came = sent.copy(), came.copy()
    sent[received + 1], came[received + 1] = sent[received], came[received]
    return order[lowered.rows.op[order] <= Op.U], sent, came


def _executed(program: Program, lowered: Program, order: Ints) -> Program:
    """`program` in the order its rows (given as rows of `lowered`) were executed."""
    number = np.cumsum(lowered.rows.op <= Op.U) - 1 if not program.lowered else np.arange(
        len(lowered))
    return program.reordered(number[order])


def observed_plan(program: Program, plan: VersionPlan, pieces: Sequence[Piece]) -> VersionPlan:
    """A plan that holds what the stages counted themselves in place of what was planned."""
    shape = program.shape
    forward, backward, applied = (np.full((shape.stages, shape.total), -1) for _ in range(3))
    for k, reading in ((k, r) for piece in pieces for k, r in piece.readings.items()):
        for (op, index), version in reading.read.items():
            (forward if op is Op.F else backward)[k, index] = version
        for minibatch, version in reading.applied.items():
            first = (minibatch - 1) * shape.microbatches
            applied[k, first : first + shape.microbatches] = version
    return replace(plan, program=program, forward=forward, backward=backward, applied=applied)


def _losses(program: Program, pieces: Sequence[Piece]) -> Floats:
    n = program.shape.microbatches
    loss = np.zeros(program.shape.minibatches)
    for piece in pieces:
        for index, value in piece.losses.items():
            loss[index // n] += value / n
    return loss


def digest(weights: torch.Tensor) -> str:
    """SHA-256 of the bits of a flat vector: equal digests are bit-equal weights."""
    return hashlib.sha256(weights.detach().cpu().numpy().tobytes()).hexdigest()


def diverged_at(assembly: Assembly, loss: Floats) -> int | None:
    """First mini-batch with a loss that is not finite; the last where only weights are not."""
    if not np.isfinite(loss).all():
        return int(np.argmin(np.isfinite(loss))) + 1
    fine = all(bool(torch.isfinite(stage.weights).all()) for stage in assembly.stages)
    return None if fine else assembly.program.shape.minibatches


def _header(assembly: Assembly, pieces: Sequence[Piece], extra: Mapping[str, Any],
            final: Evaluation | None) -> dict[str, Any]:
    shape, settings = assembly.program.shape, assembly.settings
    sizes = stage_sizes(assembly.task)
    header: dict[str, Any] = {
        "experiment": assembly.experiment.model_dump(mode="json"),
        "mitigation": describe(assembly.plan.mitigation),
        "shape": {"stages": shape.stages, "minibatches": shape.minibatches,
                  "microbatches": shape.microbatches, "chunks": shape.chunks},
        "seed": assembly.experiment.training.seed,
        "sizes": {"weight_bytes": [s.weight_bytes for s in sizes],
                  "activation_bytes": [s.activation_bytes for s in sizes],
                  "boundary_bytes": [s.input_bytes for s in sizes[1:]]},
        "versions_held": assembly.plan.versions_held.tolist(),
        "libraries": {"python": platform.python_version(), "numpy": np.__version__,
                      "torch": str(torch.__version__)},
        "gpu": {"settings": vars(settings) | {"costs": list(settings.costs or ())},
                "devices": [piece.name for piece in pieces],
                "threads": torch.get_num_threads(),
                "clock": [piece.clock for piece in pieces],
                "clock_residual_s": max(piece.clock["residual_s"] for piece in pieces),
                "launch_bound_fraction": [piece.launch_bound for piece in pieces],
                "host_s": [piece.host_s for piece in pieces],
                "peak_bytes": [piece.peak_bytes for piece in pieces],
                "weights_sha256": [digest(stage.weights) for stage in assembly.stages],
                **extra},
    }
    header["training"] = {
        "mean_update_rmse": [piece.update_rmse_sum[k] / shape.minibatches for k in
                             range(shape.stages) for piece in pieces
                             if k in piece.update_rmse_sum],
        "final_loss": None, "validation_loss": None, "accuracy": None}
    if final is not None:
        header["training"] |= {"final_loss": final.final_loss, "accuracy": final.accuracy,
                               "validation_loss": final.validation_loss}
    return header
