"""Staleness, inconsistency and weight distance per stage and pass."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from analysis.metrics.timing import averaged_over
from sim.arrays import Floats
from sim.experiment.making import make_mitigation
from sim.experiment.setup import version_plan
from sim.mitigations import Late
from sim.op import Op
from sim.order.replicated import own_program
from sim.order.shape import PipelineShape
from sim.trace import Trace
from sim.weights.delays import update_delays
from sim.weights.versions import VersionPlan

PASSES = {"forward": (Op.F,), "backward": (Op.B, Op.I)}


def plan_of(trace: Trace) -> VersionPlan:
    """The weight versions that a worker's micro-batches read, by the order the trace recorded."""
    pipeline = trace.header.pipeline
    own = own_program(trace.program())
    return version_plan(own, make_mitigation(pipeline["mitigation"]), pipeline["schedule"])


def steady_rows(trace: Trace, name: str) -> NDArray[np.bool_]:
    """Which rows are passes of one kind (`forward` or `backward`) in the steady state, (rows,).

    Of a run that has none, all of them.
    """
    first, last = averaged_over(trace.shape)
    minibatch = trace.minibatch
    return np.isin(trace.op, PASSES[name]) & (minibatch >= first) & (minibatch <= last)


def per_stage(trace: Trace, column: Floats, rows: NDArray[np.bool_],
              how: Callable[[Floats], float] = np.mean) -> list[float]:
    """`how`, by default the mean, of a column (rows,) over the chosen rows of each stage."""
    with np.errstate(all="ignore"):
        return [float(how(column[rows & (trace.stage == k)]))
                for k in range(trace.shape.stages)]


def mean_staleness(trace: Trace, name: str, *, effective: bool = False) -> list[float]:
    """Mean staleness, in updates, of one kind of pass in the steady state, by stage.

    With `effective` an interpolation counts by its share of stale weights, a·d.
    """
    column = trace.effective_staleness if effective else trace.staleness
    return per_stage(trace, column, steady_rows(trace, name))


def distribution(trace: Trace, name: str) -> list[dict[str, int]]:
    """How often each staleness occurred in the steady state: a table by stage, value to count."""
    rows = steady_rows(trace, name)
    counted = []
    for k in range(trace.shape.stages):
        values, times = np.unique(trace.staleness[rows & (trace.stage == k)], return_counts=True)
        counted.append({f"{value:g}": int(n) for value, n in zip(values, times, strict=True)})
    return counted


def slowed(trace: Trace, plan: VersionPlan) -> list[float] | None:
    """Share of each stage's updates that come so late that a mitigation steps them by less.

    By less than the run's learning rate, before that falls by its schedule.  None of a mitigation
    that leaves rates alone.
    """
    rule, program = plan.mitigation, plan.program
    rate = trace.header.experiment.get("training", {}).get("learning_rate")
    if not rule.adapts_rate or rate is None:
        return None
    apart = trace.header.experiment.get("workers", {}).get("copies") == "apart"
    shares = []
    for k in range(program.shape.stages):
        each = [program.copies.does(copy).tolist() for copy in program.copies.of_stage(k)]
        late = [delay for does in (each if apart else [None])
                for delay in update_delays(plan, k, does).tolist()]
        shares.append(sum(rule.step_rate(Late(rate, delay, program.shape.stages - k)) < rate
                          for delay in late) / len(late))
    return shares


def max_staleness(trace: Trace) -> float:
    """The largest staleness, in updates, of any pass of the run."""
    return float(trace.staleness.max(initial=0.0))


def _steady_micro(shape: PipelineShape) -> slice:
    first, last = averaged_over(shape)
    n = shape.microbatches
    return slice((first - 1) * n, last * n)


def inconsistent_fraction(trace: Trace, plan: VersionPlan) -> float:
    """Share of steady micro-batches on a stage whose two passes read different versions."""
    steady = _steady_micro(plan.program.shape)
    return float((plan.forward != plan.backward)[:, steady].mean())


def vertical_inconsistent_fraction(trace: Trace, plan: VersionPlan) -> float:
    """Share of steady micro-batches whose forwards read different versions on different stages.

    NaN where replicas of a stage count updates of their own, which no other stage's compare with.
    """
    if not plan.in_step:
        return float("nan")
    forward = plan.forward[:, _steady_micro(plan.program.shape)]
    return float((forward != forward[:1]).any(axis=0).mean())


def mean_distance(trace: Trace, name: str, column: Floats) -> list[float]:
    """Mean of a distance column (rows,) over all passes of one kind, by stage."""
    return per_stage(trace, column, np.isin(trace.op, PASSES[name]))


def mean_gap(trace: Trace, name: str) -> list[float]:
    """Mean RMSE distance in units of the stage's mean update, by stage; NaN where that is unknown.

    Source: REFERENCE section 1, the gap of DANA.
    """
    learnt = trace.header.training
    distances = mean_distance(trace, name, trace.weight_rmse)
    if learnt is None:
        return [float("nan")] * len(distances)
    return [d / u if u else float("nan")
            for d, u in zip(distances, learnt.mean_update_rmse, strict=True)]
