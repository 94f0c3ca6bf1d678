"""A straggling stage takes longer inside its window and nowhere else."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sim.op import Op
from tests.sim.experiments import TIMES, TINY, history, same_weights, simulate

WINDOW = {"stage": 1, "from_s": 20.0, "to_s": 35.0, "factor": 3.0}


def lasting(trace):
    return trace.end_s - trace.start_s


@given(st.integers(0, 3), st.integers(0, 60), st.integers(1, 40), st.integers(2, 5),
       st.sampled_from(["static", "greedy"]))
def test_only_the_window_of_the_stage_is_slowed(stage, from_s, length, factor, dispatch):
    window = {"stage": stage, "from_s": float(from_s), "to_s": float(from_s + length),
              "factor": float(factor)}
    trace = simulate(stages=4, minibatches=20, stragglers=[window], dispatch=dispatch,
                     backward_s=2.0, **TIMES)
    nominal = np.where(trace.op == Op.F, 1.0, np.where(trace.op == Op.B, 2.0, 0.0))
    inside = ((trace.stage == stage) & (trace.start_s >= from_s)
              & (trace.start_s < from_s + length))
    assert np.array_equal(lasting(trace), np.where(inside, factor * nominal, nominal))


def test_an_instruction_that_starts_at_the_end_of_a_window_is_not_slowed():
    trace = simulate(stages=1, minibatches=4, stragglers=[
        {"stage": 0, "from_s": 2.0, "to_s": 3.0, "factor": 2.0}], **TIMES)
    assert lasting(trace)[trace.op != Op.U].tolist() == [1, 1, 2, 1, 1, 1, 1, 1]


def test_overlapping_windows_multiply():
    trace = simulate(stages=1, minibatches=1, stragglers=[
        {"stage": 0, "from_s": 0.0, "to_s": 0.5, "factor": 2.0},
        {"stage": 0, "from_s": 0.0, "to_s": 9.0, "factor": 3.0}], **TIMES)
    assert lasting(trace)[trace.op != Op.U].tolist() == [6.0, 3.0]


def test_a_straggler_delays_the_others_and_changes_no_weight():
    keys = {**TINY, "stages": 3, "minibatches": 20}
    plain, weights = history(**keys)
    slowed, others = history(**keys, stragglers=[WINDOW])
    assert slowed.end_s.max() > plain.end_s.max()
    assert same_weights(weights, others)
