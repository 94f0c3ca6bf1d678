"""From a finished run to its trace: columns by row, curves, and the header that explains them."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np

from sim.arrays import Floats, Ints
from sim.experiment.machine import Sizes
from sim.experiment.setup import Timed
from sim.header import BetweenWorkers, Learnt, StageBytes, TraceHeader
from sim.mitigations import Mitigation
from sim.numerics.distances import Measures
from sim.numerics.training import TrainingResult
from sim.op import Op
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.order.together import rows_of_pairs
from sim.trace import Trace
from sim.weights.columns import version_columns
from sim.workers import Combine


def record(timed: Timed, crews: Sequence[Sequence[Measures]] = (),
           result: TrainingResult | None = None) -> Trace:
    """The trace of a run whose times are known.

    `crews` is what was measured of each worker's stages, and `result` what training gave, where
    something was learnt.
    """
    timeline, plan = timed.timeline, timed.plan
    program, own = timeline.program, plan.program
    workers = program.shape.workers
    read, applied, late, effective = version_columns(plan, timed.setup.kernels)
    if workers > 1:
        read, applied = np.tile(read, workers), np.tile(applied, workers)
        late, effective = np.tile(late, workers), np.tile(effective, workers)
    distances = [distance_columns(own, stages) for stages in crews or [[]] * workers]
    distance, rmse = (distances[0] if workers == 1 else (
        np.concatenate(column) for column in zip(*distances, strict=True)))
    return Trace(
        _header(timed, crews, result), program.device,
        *_instruction(program), timeline.start_s, timeline.end_s, timeline.sent_s,
        timeline.arrived_s, read, applied, late, effective, distance, rmse, _curves(result),
        timeline.asked_s, timeline.issued_s, _paired(program))


def _paired(program: Program) -> Ints | None:
    """1 by row where two are issued as one, shape (rows,); None where none are."""
    if not len(program.pairs):
        return None
    paired = np.zeros(len(program), dtype=np.int8)
    for rows in rows_of_pairs(program.tables, program.pairs):
        paired[rows] = 1
    return paired


def _instruction(program: Program) -> tuple[Ints, Ints, Ints, Ints]:
    op, stage, index, count = program.rows
    return op, stage, index, count


def distance_columns(program: Program, stages: Sequence[Measures]) -> tuple[Floats, Floats]:
    """Relative weight distance and RMSE of every instruction, shape (rows,) each.

    Of a pass over several micro-batches it is their mean; NaN where nothing was measured.
    """
    if not stages or not stages[0].measured:
        unknown = np.broadcast_to(np.nan, len(program))  # every row of it the same one
        return unknown, unknown
    relative, rmse = (np.full(len(program), np.nan) for _ in range(2))
    for op, table in ((Op.F, (Op.F,)), (Op.B, (Op.B, Op.I))):
        rows, micro = program.micro_rows(*table)
        known = np.array([stage.distances(op) for stage in stages])  # (stages, 2, micro-batches)
        found = known[program.rows.stage[rows], :, micro]
        count = program.rows.count[rows]
        own = np.unique(rows)
        for values, column in zip(found.T, (rmse, relative), strict=True):
            with np.errstate(all="ignore"):
                column[own] = np.bincount(rows, values / count, len(program))[own]
    return relative, rmse


def _curves(result: TrainingResult | None) -> dict[str, Any]:
    if result is None:
        return {}
    points = result.evaluations
    values: dict[str, list[float | None]] = {"validation_loss": [p.validation_loss for p in points],
              "accuracy": [p.accuracy for p in points],
              "training_loss": [*(p.final_loss for p in points)]}
    return {"minibatch_loss": result.loss,
            "evaluated_minibatch": np.array(result.evaluated, dtype=np.int64),
            **{name: np.array([np.nan if v is None else v for v in column])
               for name, column in values.items()}}


def _header(timed: Timed, crews: Sequence[Sequence[Measures]], result: TrainingResult | None
            ) -> TraceHeader:
    setup, shape, plan = timed.setup, timed.timeline.program.shape, timed.plan
    sizes, again = setup.sizes, setup.sizes.recomputed_bytes
    return TraceHeader(
        setup.experiment.model_dump(), describe(plan.mitigation), shape,
        setup.experiment.training.seed, plan.held(setup.kernels).tolist(),
        StageBytes(sizes.weight_bytes.tolist(), sizes.activation_bytes.tolist(),
                   sizes.boundary_bytes.tolist(), [] if again is None else again.tolist()),
        _libraries(),
        workers=_between_workers(setup.combine, shape, sizes) if shape.workers > 1 else None,
        training=None if result is None else _learnt(crews, result))


def _learnt(crews: Sequence[Sequence[Measures]], result: TrainingResult) -> Learnt:
    each = [sum(stage.update_rmse_sum for stage in copies) / sum(len(own.rate) for own in copies)
            for copies in zip(*crews, strict=True)]
    final = result.final
    return Learnt(final.final_loss, final.validation_loss, final.accuracy, result.diverged_at,
                  each, result.examples)


def _between_workers(rule: Combine, shape: PipelineShape, sizes: Sizes) -> BetweenWorkers:
    """How far workers are ahead of what they have seen of each other, and what that costs."""
    behind = rule.behind(np.arange(shape.of_worker.minibatches), shape)
    return BetweenWorkers(
        describe(rule), float(behind.mean()), int(behind.max()),
        rule.bytes_per_minibatch(float(sizes.weight_bytes.sum()), shape))


def describe(mitigation: Mitigation | Combine) -> str:
    """The name of a mitigation or combine rule, with the parameters that differ from defaults:
    `i-timeprest(decay=2)`."""
    plain = type(mitigation)()
    changed = {name: value for name, value in vars(mitigation).items()
               if value != getattr(plain, name)}
    inside = ", ".join(f"{name}={value}" for name, value in changed.items())
    return f"{mitigation.name}({inside})" if inside else mitigation.name


@cache
def _libraries() -> dict[str, str]:
    return {"python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "simpy")}}
