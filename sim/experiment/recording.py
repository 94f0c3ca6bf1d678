"""From a finished run to its trace: columns by row, curves, and the header that explains them."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.arrays import Floats, Ints
from sim.experiment.configuration import make_combine
from sim.experiment.options import Experiment
from sim.experiment.setup import Sizes
from sim.kernels import as_narrow, compiled
from sim.kernels.versions import effective, read_by_row
from sim.mitigations import Mitigation
from sim.numerics.distances import Measures
from sim.numerics.training import TrainingResult
from sim.op import Op
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.times.engine import Timeline
from sim.trace import Trace
from sim.weights.versions import VersionPlan
from sim.workers import Combine


def record(experiment: Experiment, timeline: Timeline, plan: VersionPlan,
           crews: Sequence[Sequence[Measures]], result: TrainingResult | None, sizes: Sizes
           ) -> Trace:
    """The trace of a run; `crews` is what was measured of each worker's stages, `plan` is every
    worker's own."""
    program, own = timeline.program, plan.program
    workers = program.shape.workers
    read, applied, late, effective = version_columns(plan)
    if workers > 1:
        read, applied = np.tile(read, workers), np.tile(applied, workers)
        late, effective = np.tile(late, workers), np.tile(effective, workers)
    distances = [distance_columns(own, stages) for stages in crews or [[]] * workers]
    distance, rmse = (distances[0] if workers == 1 else (
        np.concatenate(column) for column in zip(*distances, strict=True)))
    return Trace(
        _header(experiment, program.shape, plan, crews, result, sizes), program.device,
        *_instruction(program), timeline.start_s, timeline.end_s, timeline.sent_s,
        timeline.arrived_s, read, applied, late, effective, distance, rmse, _curves(result))


def _instruction(program: Program) -> tuple[Ints, Ints, Ints, Ints]:
    op, stage, index, count = program.rows
    return op, stage, index, count


def _of_rows(program: Program, table: Ints) -> Ints:
    """What a table by (stage, micro-batch) says of each row's first micro-batch."""
    flat: Ints = table.ravel()[program.rows.stage * program.shape.total + program.rows.index]
    return flat


def staleness_columns(plan: VersionPlan) -> tuple[Ints, Floats, Floats]:
    """Version read, staleness and effective staleness by row."""
    read, _, late, effective = version_columns(plan)
    return read, late, effective


def version_columns(plan: VersionPlan) -> tuple[Ints, Ints, Floats, Floats]:
    """Version read, version before the own update, staleness and effective staleness by row."""
    program, applied = plan.program, plan.applied
    share = _share(plan) if plan.mitigation.interpolates else None
    if program.compiled:
        tables = as_narrow(plan.forward), as_narrow(plan.backward), applied
        read, own, late = compiled(read_by_row)(*program.rows, *tables, program.wide)
        if share is None:
            return read, own, late, late  # nothing interpolated: one column says both
        return read, own, late, compiled(effective)(*program.rows, *tables[1:], late, share)
    own = _of_rows(program, applied)
    read = own.copy()  # an update reads what it steps
    late = np.zeros(len(program))
    behind = late if share is None else np.zeros(len(program))
    for ops, versions in (((Op.F,), plan.forward), ((Op.B, Op.I), plan.backward)):
        rows, gap = program.row_of(*ops), applied - versions
        if not (program.rows.count[rows[0]] > 1).any():  # on every stage cut at the same places
            read[rows] = versions
        else:
            np.minimum.at(read, rows, versions)
        _put_mean(late, rows, gap, program.rows.count)
        if share is not None:
            _put_mean(behind, rows, share[gap] if Op.B in ops else gap, program.rows.count)
    return read, own, late, behind


def _share(plan: VersionPlan) -> Floats:
    """Effective staleness of an interpolated backward by its gap, of the gaps there are."""
    gaps = np.flatnonzero(np.bincount((plan.applied - plan.backward).ravel()))
    share = np.zeros(gaps[-1] + 1)
    share[gaps] = [float(plan.mitigation.effective_staleness(gap)) for gap in gaps.tolist()]
    return share


def _put_mean(column: Floats, rows: Ints, values: NDArray[Any], count: Ints) -> None:
    """The mean over what each of `rows` covers; both tables by (stage, micro-batch)."""
    if (count[rows[0]] > 1).any():
        column += np.bincount(rows.ravel(), values.ravel(), len(column)) / count
    else:
        column[rows] = values


def distance_columns(program: Program, stages: Sequence[Measures]) -> tuple[Floats, Floats]:
    """Relative distance and RMSE by row, the mean over what a pass covers; NaN where unknown."""
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


def _header(experiment: Experiment, shape: PipelineShape, plan: VersionPlan,
            crews: Sequence[Sequence[Measures]], result: TrainingResult | None, sizes: Sizes
            ) -> dict[str, Any]:
    header: dict[str, Any] = {
        "experiment": experiment.model_dump(),
        "mitigation": describe(plan.mitigation),
        "shape": shape.as_dict(),
        "seed": experiment.training.seed,
        "versions_held": plan.versions_held.tolist(),
        "sizes": {"weight_bytes": sizes.weight_bytes.tolist(),
                  "activation_bytes": sizes.activation_bytes.tolist(),
                  "boundary_bytes": sizes.boundary_bytes.tolist()},
        "libraries": _libraries(),
    }
    if shape.workers > 1:
        header["workers"] = _between_workers(experiment, shape, sizes)
    if result is not None:
        updates = shape.of_worker.minibatches * shape.workers
        header["training"] = {
            "final_loss": result.final.final_loss,
            "validation_loss": result.final.validation_loss,
            "accuracy": result.final.accuracy,
            "diverged_at": result.diverged_at,
            "examples": result.examples,
            "mean_update_rmse": [
                sum(s.update_rmse_sum for s in copies) / updates
                for copies in zip(*crews, strict=True)],
        }
    return header


def _between_workers(experiment: Experiment, shape: PipelineShape, sizes: Sizes
                     ) -> dict[str, Any]:
    """How far workers are ahead of what they have seen of each other, and what that costs."""
    rule = make_combine(experiment.workers.combine)
    behind = rule.behind(np.arange(shape.of_worker.minibatches), shape)
    return {"combine": describe(rule), "behind_mean": float(behind.mean()),
            "behind_max": int(behind.max()),
            "bytes_per_minibatch": rule.bytes_per_minibatch(float(sizes.weight_bytes.sum()), shape)}


def describe(mitigation: Mitigation | Combine) -> str:
    """A mitigation's (or combine rule's) name with the parameters that differ from defaults."""
    plain = type(mitigation)()
    changed = {name: value for name, value in vars(mitigation).items()
               if value != getattr(plain, name)}
    inside = ", ".join(f"{name}={value}" for name, value in changed.items())
    return f"{mitigation.name}({inside})" if inside else mitigation.name


@cache
def _libraries() -> dict[str, str]:
    return {"python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "simpy")}}
