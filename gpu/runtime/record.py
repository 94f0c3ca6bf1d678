"""From what the workers did to a trace with the simulator's columns."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from gpu.runtime.assembly import Assembly
from gpu.runtime.piece import Piece
from gpu.runtime.ready import Graphs
from gpu.runtime.settings import RunSettings
from sim.arrays import Floats, Ints
from sim.experiment.recording import describe
from sim.header import Learnt, Measured, StageBytes, TraceHeader
from sim.numerics.tasks import Evaluation
from sim.op import Op
from sim.order.program import Program
from sim.order.streams import NO_EDGES
from sim.trace import Trace
from sim.weights.columns import version_columns
from sim.weights.versions import VersionPlan

TIMES = ("start_s", "end_s", "arrived_s", "asked_s", "issued_s")  # of a piece, by row


def to_trace(assembly: Assembly, lowered: Program, pieces: Sequence[Piece],
             extra: Mapping[str, Any], final: Evaluation | None,
             graphs: Graphs) -> Trace:
    """The trace of a run from what its devices brought home, with rows in the order executed.

    `lowered` is the program with messages, which the devices executed; `extra` goes into the
    header's `gpu` table, `final` is the evaluation of the last weights, if there was one, and
    `graphs` whether stages were captured.
    """
    order = np.array([row for piece in pieces for row in piece.rows])
    times = {name: _by_row(pieces, name, len(lowered)) for name in TIMES}
    start, end, came, asked, issued = (times[n] - times["start_s"].min() for n in TIMES)
    source = lowered.arrives_from
    sent = np.where(source >= 0, end[source], np.nan)
    if not assembly.program.lowered:
        order, sent, came = _without_messages(lowered, order, sent, came)
    executed = _executed(assembly.program, lowered, order)
    plan = observed_plan(executed, assembly.plan, pieces)
    read, applied, staleness, effective = version_columns(plan)
    distance = np.full((len(lowered), 2), np.nan)
    for piece in pieces:
        distance[piece.rows] = piece.distances
    loss = _losses(lowered, pieces)
    header = _header(assembly, pieces, extra, final, diverged_at(assembly, loss), graphs)
    op, stage, index, count = executed.rows
    return Trace(
        header, executed.device, op, stage, index, count, start[order],
        end[order], sent[order], came[order], read, applied, staleness, effective,
        distance[order, 0], distance[order, 1],
        {"minibatch_loss": loss}, **_of_hosts(asked[order], issued[order]))


def _of_hosts(asked: Floats, issued: Floats) -> dict[str, Any]:
    """When hosts asked for what devices did; nothing where hosts did it themselves."""
    return {} if np.isnan(asked).all() else {"asked_s": asked, "issued_s": issued}


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
    return program.synchronised(*NO_EDGES).reordered(number[order])


def observed_plan(program: Program, plan: VersionPlan, pieces: Sequence[Piece]) -> VersionPlan:
    """The versions every pass really read, as the stages counted them, in the form of a plan."""
    shape, copies = program.shape, program.copies
    forward, backward, applied = (np.full((shape.stages, shape.total), -1) for _ in range(3))
    for piece in pieces:
        for k, reading in piece.readings.items():
            mine = copies.device[copies.of[k]] == piece.device
            for (op, index), version in reading.read.items():
                (forward if op is Op.F else backward)[k, index] = version
            for minibatch, version in reading.applied.items():
                first = minibatch * shape.microbatches
                own = slice(first, first + shape.microbatches)
                applied[k, own][mine[own]] = version
    return replace(plan, program=program, forward=forward, backward=backward, applied=applied)


def _losses(program: Program, pieces: Sequence[Piece]) -> Floats:
    n = program.shape.microbatches
    loss = np.zeros(program.shape.minibatches)
    found = {index: value for piece in pieces for index, value in piece.losses.items()}
    for index, value in sorted(found.items()):  # in their order, whatever copies did them
        loss[index // n] += value / program.shape.size_of(index // n)
    return loss


def digest(weights: torch.Tensor) -> str:
    """SHA-256 of the bits of weights (parameters,): equal digests are bit-equal weights."""
    return hashlib.sha256(weights.detach().cpu().numpy().tobytes()).hexdigest()


def diverged_at(assembly: Assembly, loss: Floats) -> int | None:
    """The first mini-batch (from 1) whose loss in `loss` (mini-batches,) is not finite.

    The last one where only weights are not finite; None where everything is.
    """
    if not np.isfinite(loss).all():
        return int(np.argmin(np.isfinite(loss))) + 1
    fine = all(bool(torch.isfinite(weights).all()) for weights in assembly.learnt)
    return None if fine else assembly.program.shape.minibatches


def _header(assembly: Assembly, pieces: Sequence[Piece], extra: Mapping[str, Any],
            final: Evaluation | None, diverged: int | None, graphs: Graphs) -> TraceHeader:
    sizes, experiment = assembly.task.stage_sizes(), assembly.experiment
    again = experiment.pipeline.backward == "recompute"
    return TraceHeader(
        experiment.model_dump(), describe(assembly.plan.mitigation), assembly.program.shape,
        experiment.training.seed, assembly.plan.versions_held.tolist(),
        StageBytes([s.weight_bytes for s in sizes], [s.activation_bytes for s in sizes],
                   [s.input_bytes for s in sizes[1:]],
                   [s.graph_bytes for s in sizes] if again else []),
        {"python": platform.python_version(), "numpy": np.__version__,
         "torch": str(torch.__version__)},
        training=_learnt(assembly, pieces, final, diverged),
        gpu=_measured(assembly, pieces, extra, graphs))


def _learnt(assembly: Assembly, pieces: Sequence[Piece], final: Evaluation | None,
            diverged: int | None) -> Learnt:
    shape, copies = assembly.program.shape, assembly.program.copies
    moved = [sum(piece.update_rmse_sum.get(k, 0.0) for piece in pieces)
             for k in range(shape.stages)]
    updates = [each / sum(len(copies.minibatches(copy, shape.microbatches))
                          for copy in copies.of_stage(k)) for k, each in enumerate(moved)]
    if final is None:
        return Learnt(None, None, None, diverged, updates)
    return Learnt(final.final_loss, final.validation_loss, final.accuracy, diverged, updates)


def _as_recorded(settings: RunSettings) -> dict[str, Any]:
    """The settings of a run as its header has them; a cut only where one was given."""
    found = vars(settings) | {"costs": list(settings.costs or ())}
    cut = found.pop("cut")
    return found if cut is None else found | {"cut": list(cut)}


def _measured(assembly: Assembly, pieces: Sequence[Piece], extra: Mapping[str, Any],
              graphs: Graphs) -> Measured:
    settings = assembly.settings
    return Measured(
        settings=_as_recorded(settings),
        devices=[piece.name for piece in pieces],
        threads=torch.get_num_threads(),
        clock=[piece.clock for piece in pieces],
        clock_residual_s=max(piece.clock["residual_s"] for piece in pieces),
        launch_bound_fraction=[piece.launch_bound for piece in pieces],
        host_s=[piece.host_s for piece in pieces],
        peak_bytes=[piece.peak_bytes for piece in pieces],
        base_bytes=[piece.base_bytes for piece in pieces],
        weights_sha256=[digest(weights) for weights in assembly.learnt],
        graphs=graphs.used, graphs_why=graphs.why, extra=dict(extra))
