"""What one device brings home from a run: plain numbers, so that it can travel between ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from gpu.lanes.streams import CpuLane
from gpu.runtime.stage import Reading, reading_of
from gpu.runtime.worker import Worker
from sim.experiment.recording import distance_columns
from sim.numerics.distances import Measures
from sim.op import Op

LAUNCH_MARGIN_S = 20e-6  # a device that ends this soon after its host was waiting for the host


@dataclass
class Piece:
    """What one device brings home from a run: plain numbers, so that it can travel.

    `rows` are the instructions it executed, in that order; times are seconds of this process's
    host clock.  The host began to ask for each at `asked_s` and had asked for all of it at
    `issued_s` (NaN where it did the work itself, on a CPU).  Peak and base are bytes on the device,
    None on a CPU.
    """

    device: int
    name: str
    rows: list[int]
    start_s: list[float]
    end_s: list[float]
    arrived_s: list[float]
    asked_s: list[float]
    issued_s: list[float]
    launch_bound: float | None
    host_s: float
    clock: dict[str, float]
    losses: dict[int, float]
    readings: dict[int, Reading]
    distances: list[tuple[float, float]]  # relative and RMSE, NaN where unknown
    update_rmse_sum: dict[int, float]
    peak_bytes: int | None = None
    base_bytes: int | None = None  # allocated on the device before the run


def collect(worker: Worker, measures: Sequence[Measures]) -> Piece:
    """What a worker's device brings home: wait for it, and read its marks as times.

    `measures` are those of all stages of the program.
    """
    lane, spans = worker.lane, worker.finished
    alignment = lane.finish()
    worker.losses.poll()
    start, end = ([lane.seconds(getattr(s, side)) for s in spans] for side in ("start", "end"))
    came = [float("nan") if s.arrived is None else lane.seconds(s.arrived) for s in spans]
    own = worker.stages.items()
    relative, rmse = distance_columns(worker.program, measures)
    cpu = isinstance(lane, CpuLane)
    asked, issued = ([float("nan") if cpu else getattr(s, side) for s in spans]
                     for side in ("asked_s", "left_s"))
    return Piece(
        worker.device, lane.name, [s.row for s in spans], start, end, came, asked, issued,
        None if cpu else launch_bound(worker, end), sum(s.left_s - s.asked_s for s in spans),
        {"residual_s": alignment.residual_s, "drift_s": alignment.drift_s},
        worker.losses.values, {k: reading_of(s) for k, s in own},
        [(relative[s.row], rmse[s.row]) for s in spans],
        {k: s.measures.update_rmse_sum for k, s in own},
        None if cpu else torch.cuda.max_memory_allocated(lane.device),
        getattr(lane, "base_bytes", None))


def launch_bound(worker: Worker, end_s: Sequence[float]) -> float:
    """Share of compute instructions whose pace was the host's, not the device's.

    There the device had caught up when the host had asked for the last of the instruction's work;
    `end_s` are the ends of the worker's instructions in seconds.
    """
    pairs = [(span.left_s, end) for span, end in zip(worker.finished, end_s, strict=True)
             if worker.program.rows.op[span.row] <= Op.U]
    return float(np.mean([end - left < LAUNCH_MARGIN_S for left, end in pairs])) if pairs else 0.0
