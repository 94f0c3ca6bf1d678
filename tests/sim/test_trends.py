"""A stage with a trend drifts to another pace, in a straight line, and stays there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.op import Op
from sim.times.costs import quantize
from tests.sim.experiments import TIMES, TINY, history, same_weights, simulate

TREND = {"stage": 1, "from_s": 20.0, "to_s": 35.0, "factor": 3.0}


def lasting(trace):
    return trace.end_s - trace.start_s


def by_hand(trend, start):
    """Factor of what starts at these seconds, (rows,)."""
    if trend["to_s"] == trend["from_s"]:
        return np.where(start >= trend["to_s"], trend["factor"], 1.0)
    return np.interp(start, [trend["from_s"], trend["to_s"]], [1.0, trend["factor"]])


@given(st.integers(0, 3), st.integers(0, 60), st.sampled_from([0, 1, 13, 40]),
       st.sampled_from([0.25, 2.0, 5.0]), st.sampled_from(["static", "greedy"]))
def test_only_the_stage_drifts_and_it_does_so_in_a_straight_line(stage, from_s, length, factor,
                                                                 dispatch):
    trend = {"stage": stage, "from_s": float(from_s), "to_s": float(from_s + length),
             "factor": factor}
    trace = simulate(stages=4, minibatches=20, trends=[trend], dispatch=dispatch,
                     backward_s=2.0, **TIMES)
    nominal = np.where(trace.op == Op.F, 1.0, np.where(trace.op == Op.B, 2.0, 0.0))
    factors = np.where(trace.stage == stage, by_hand(trend, trace.start_s), 1.0)
    assert lasting(trace) == pytest.approx(nominal * factors, abs=2e-9, rel=0)
    others = trace.stage != stage
    assert np.array_equal(lasting(trace)[others], nominal[others])


def test_what_starts_at_either_end_and_half_way():
    trace = simulate(stages=1, minibatches=4, trends=[
        {"stage": 0, "from_s": 2.0, "to_s": 4.0, "factor": 2.0}], **TIMES)
    # starts: 0, 1, 2 (as ever), 3 (half way: 1.5), 4.5 and later (twice)
    assert lasting(trace)[trace.op != Op.U].tolist() == [1, 1, 1, 1.5, 2, 2, 2, 2]


def test_where_both_ends_are_one_moment_it_jumps():
    trace = simulate(stages=1, minibatches=2, trends=[
        {"stage": 0, "from_s": 2.0, "to_s": 2.0, "factor": 3.0}], **TIMES)
    assert lasting(trace)[trace.op != Op.U].tolist() == [1, 1, 3, 3]


def test_trends_and_stragglers_of_a_stage_multiply():
    trace = simulate(stages=1, minibatches=1, trends=[
        {"stage": 0, "from_s": 0.0, "to_s": 0.0, "factor": 2.0},
        {"stage": 0, "from_s": 0.0, "to_s": 0.0, "factor": 1.5}], stragglers=[
        {"stage": 0, "from_s": 0.0, "to_s": 9.5, "factor": 3.0}], **TIMES)
    assert lasting(trace)[trace.op != Op.U].tolist() == [9.0, 9.0]


def test_a_trend_delays_the_others_and_changes_no_weight():
    keys = {**TINY, "stages": 3, "minibatches": 20}
    plain, weights = history(**keys)
    slowed, others = history(**keys, trends=[TREND])
    assert slowed.end_s.max() > plain.end_s.max()
    assert same_weights(weights, others)
    assert np.array_equal(quantize(lasting(slowed)), lasting(slowed))  # whole ticks
