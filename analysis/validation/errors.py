"""How far the simulator is off: a predicted trace beside the measured one of the same program.

Relative errors are |predicted - measured| / measured.  An event is one compute instruction; the
error of its start is given relative to the measured makespan, and in steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from analysis.metrics.timing import Timing, timing
from sim.arrays import Floats
from sim.op import Op
from sim.rows import plain
from sim.trace import Trace

TARGETS = {"step_time_rel_error": 0.02, "event_duration_p95_rel": 0.05,
           "event_start_p95_rel": 0.05, "memory_rel_error": 0.03}
MOMENTS = ("sent_s", "arrived_s", "asked_s", "issued_s")  # of a measured event, where they apply
EXACT = ("order_equal", "versions_equal")
Run = dict[str, Any]


def statistical(predicted: Trace, measured: Trace) -> dict[str, Any]:
    """How far predicted times are from measured ones, in two traces with the same rows.

    Kendall's tau, which takes several runs, is added by `summary`.
    """
    guess, truth = timing(predicted), timing(measured)
    step, true_step = step_s(guess), step_s(truth)
    compute = _events(measured)
    last = _durations(predicted, measured)[compute]
    late = np.abs(predicted.start_s - measured.start_s)[compute]
    start = late / truth.makespan_s
    found = {
        "step_time_rel_error": abs(step - true_step) / true_step,
        "step_time_predicted_s": step, "step_time_measured_s": true_step,
        "event_duration_median_rel": np.median(last), "event_duration_p95_rel": p95(last),
        "event_start_median_rel": np.median(start), "event_start_p95_rel": p95(start),
        "event_start_p95_steps": p95(late) / true_step,
        "bubble_abs_error": abs(guess.bubble_fraction - truth.bubble_fraction),
        "bubble_predicted": guess.bubble_fraction, "bubble_measured": truth.bubble_fraction,
        "comm_wait_abs_error": abs(guess.comm_wait_fraction - truth.comm_wait_fraction)}
    return dict(plain(found))


def step_s(found: Timing) -> float:
    """Seconds of one mini-batch in steady state, or of the whole run where it has none."""
    return 1 / (found.steady_throughput_minibatches_per_s or found.throughput_minibatches_per_s)


def events(predicted: Trace, measured: Trace) -> dict[str, Any]:
    """Which events' durations are predicted worst: 95th percentiles of their relative errors.

    By operation, and of all but the first mini-batch, which may run cold (None where there is but
    one); and when the first was done, in seconds, predicted and measured.
    """
    off, chosen = _durations(predicted, measured), _events(measured)
    by_op = {op.name: p95(off[chosen & (measured.op == op)]) for op in Op
             if (chosen & (measured.op == op)).any()}
    warm = chosen & (measured.minibatch > 1)
    return {"duration_p95_rel": by_op,
            "warm_duration_p95_rel": p95(off[warm]) if warm.any() else None,
            "first_minibatch_s": {side: float(trace.end_s[trace.minibatch == 1].max()) for
                                  side, trace in (("predicted", predicted),
                                                  ("measured", measured))}}


def _events(measured: Trace) -> NDArray[np.bool_]:
    return np.asarray((measured.op <= Op.U) & (measured.end_s > measured.start_s))


def _durations(predicted: Trace, measured: Trace) -> Floats:
    """Relative error of each row's duration; without meaning where it is no event."""
    guess, truth = (trace.end_s - trace.start_s for trace in (predicted, measured))
    return np.abs(guess - truth) / np.where(truth > 0, truth, np.inf)


def p95(values: Floats) -> float:
    """The 95th percentile of values, shape (n,)."""
    return float(np.percentile(values, 95))


def event_rows(labels: Mapping[str, Any], predicted: Trace, measured: Trace
               ) -> list[dict[str, Any]]:
    """Every compute instruction with its predicted and its measured times (seconds).

    `labels` of the run stand in every row; what was measured of a message and of the host is None
    where there was none.
    """
    n = predicted.shape.microbatches
    return [{**labels, "device": int(measured.device[row]), "stage": int(measured.stage[row]),
             "op": Op(int(measured.op[row])).name, "minibatch": int(measured.minibatch[row]),
             "microbatch": int(measured.index[row]) % n if measured.count[row] == 1 else None,
             "version_read": int(measured.version_read[row]),
             "predicted_start_s": float(predicted.start_s[row]),
             "predicted_end_s": float(predicted.end_s[row]),
             "measured_start_s": float(measured.start_s[row]),
             "measured_end_s": float(measured.end_s[row]),
             **{f"measured_{name}": _moment(measured, name, row) for name in MOMENTS}}
            for row in np.flatnonzero(measured.op <= Op.U).tolist()]


def _moment(trace: Trace, name: str, row: int) -> float | None:
    """A moment of a row, None where it does not apply to it or was not recorded."""
    column = getattr(trace, name, None)
    return None if column is None or np.isnan(column[row]) else float(column[row])


def summary(runs: Sequence[Run]) -> dict[str, Any]:
    """All runs together: the exact part, the worst and the median errors, which targets they meet.

    Every run gets the Kendall tau of the schedules that share its mitigation and sizes.
    """
    for run in runs:
        group = [other for other in runs if other["group"] == run["group"]]
        run["statistical"]["kendall_tau"] = order_of_schedules(group)
    names = [name for name in runs[0]["statistical"] if "error" in name or "_rel" in name]
    columns = {name: [v for run in runs if (v := run["statistical"][name]) is not None]
               for name in names}
    worst = {name: max(values) if values else None for name, values in columns.items()}
    median = {name: float(np.median(values)) if values else None
              for name, values in columns.items()}
    tau = order_of_schedules(runs)
    return {
        "exact": exact_part(runs), "statistical": {**worst, "kendall_tau": tau},
        "statistical_median": {**median, "kendall_tau": tau}, "targets": TARGETS,
        "targets_met": {name: bool(columns[name]) and max(columns[name]) <= limit
                        for name, limit in TARGETS.items()}}


def exact_part(runs: Sequence[Run]) -> dict[str, Any]:
    """Whether every run was exact, with the largest of their differences and limits."""
    each = [run["exact"] for run in runs]
    within = all(e["weights_max_rel"] <= e["weights_limit_rel"] for e in each)
    found = {name: all(e[name] for e in each) for name in EXACT}
    return {**found, **{name: max(e[name] for e in each) for name in (
        "weights_max_rel", "weights_noise_floor_rel", "weights_limit_rel")},
        "passed": all(found.values()) and within}


def order_of_schedules(runs: Sequence[Run]) -> float | None:
    """Kendall's tau of the predicted against the measured order of the runs by step time.

    None for fewer than two runs.
    """
    if len(runs) < 2:
        return None
    steps = [[run["statistical"][f"step_time_{side}_s"] for run in runs]
             for side in ("predicted", "measured")]
    tau = float(kendalltau(*steps).statistic)
    return tau if tau == tau else None
