"""Prediction against measurement, on traces whose difference is known."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.validation.errors import event_rows, statistical, summary
from sim.experiment.configuration import resolve
from sim.experiment.run import run


def trace(schedule="round-robin", **costs):
    return run(resolve({"pipeline": {"stages": 2, "minibatches": 12, "schedule": schedule},
                        "costs": costs, "training": {"task": "none"}}))


def test_a_prediction_that_is_right_has_no_error():
    found = statistical(trace(), trace())
    assert {v for k, v in found.items() if "error" in k or "_rel" in k} == {0.0}


def test_everything_twice_as_long_is_half_predicted():
    found = statistical(trace(), trace(forward_s=2.0, backward_s=2.0))
    assert found["step_time_rel_error"] == 0.5
    assert found["event_duration_median_rel"] == found["event_duration_p95_rel"] == 0.5
    assert found["bubble_abs_error"] == pytest.approx(0)


def test_a_shift_is_given_of_the_makespan_and_in_steps():
    guess = trace()
    truth = replace(guess, start_s=guess.start_s + 1.0, end_s=guess.end_s + 1.0)
    found = statistical(guess, truth)
    assert found["event_start_p95_rel"] == pytest.approx(1 / truth.end_s.max())
    assert found["event_start_p95_steps"] == pytest.approx(1 / 2)
    assert found["event_duration_p95_rel"] == 0


def entry(predicted, measured, exact=0.0, group="g", **more):
    return {"group": group, "exact": {"order_equal": True, "versions_equal": True,
                                      "weights_max_rel": exact, "weights_noise_floor_rel": 0.0,
                                      "weights_limit_rel": 1e-5, **more},
            "statistical": {"step_time_predicted_s": predicted, "step_time_measured_s": measured,
                            "step_time_rel_error": abs(predicted / measured - 1),
                            "event_duration_p95_rel": 0.04, "event_start_p95_rel": 0.06,
                            "memory_rel_error": None}}


def test_the_summary_takes_the_worst_and_says_which_aims_are_met():
    found = summary(runs := [entry(1.0, 1.0), entry(2.02, 2.0), entry(3.0, 2.5, group="h")])
    assert found["exact"]["passed"]
    assert found["statistical"]["step_time_rel_error"] == pytest.approx(0.2)
    assert found["statistical_median"]["step_time_rel_error"] == pytest.approx(0.01)
    assert found["targets_met"] == {"step_time_rel_error": False, "event_duration_p95_rel": True,
                                    "event_start_p95_rel": False, "memory_rel_error": False}
    assert found["statistical"]["kendall_tau"] == 1.0
    assert [run["statistical"]["kendall_tau"] for run in runs] == [1.0, 1.0, None]
    assert summary([entry(1.0, 2.0), entry(2.0, 1.0)])["statistical"]["kendall_tau"] == -1.0


@pytest.mark.parametrize("fault", [{"exact": 1e-4}, {"order_equal": False},
                                   {"versions_equal": False}])
def test_one_run_that_is_not_exact_fails_them_all(fault):
    assert not summary([entry(1.0, 1.0), entry(1.0, 1.0, **fault)])["exact"]["passed"]


def test_rows_hold_both_times_of_every_compute_instruction():
    guess, truth = trace(), trace(forward_s=2.0)
    rows = event_rows({"run": "x"}, guess, truth)
    assert len(rows) == len(guess)
    assert {row["run"] for row in rows} == {"x"}
    assert [row["measured_start_s"] for row in rows] == truth.start_s.tolist()
    assert [row["predicted_end_s"] for row in rows] == guess.end_s.tolist()
    assert np.isin([row["op"] for row in rows], ("F", "B", "U")).all()
