"""Asynchronous round robin: the steady period is the slowest stage's."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sim.op import Op
from tests.sim.experiments import TIMES, by_pass, simulate

MINIBATCHES = 90
quarters = st.integers(1, 12).map(lambda q: q / 4)


@st.composite
def costs(draw):
    stages = draw(st.integers(1, 6))
    return [draw(st.lists(quarters, min_size=stages, max_size=stages)) for _ in range(2)]


@given(costs())
def test_the_steady_period_is_the_slowest_stages_forward_and_backward(both):
    forward_s, backward_s = both
    stages = len(forward_s)
    trace = simulate(schedule="round-robin", stages=stages, minibatches=MINIBATCHES,
                     forward_s=forward_s, backward_s=backward_s, **TIMES)
    period = max(f + b for f, b in zip(forward_s, backward_s, strict=True))
    late = slice(MINIBATCHES - stages - 12, MINIBATCHES - stages)
    for op in (Op.F, Op.B):
        assert np.all(np.diff(by_pass(trace, "start_s", op)[:, late], axis=1) == period)


@given(costs())
def test_the_slowest_stage_never_waits_in_steady_state(both):
    forward_s, backward_s = both
    stages = len(forward_s)
    sums = np.add(forward_s, backward_s)
    trace = simulate(schedule="round-robin", stages=stages, minibatches=MINIBATCHES,
                     forward_s=forward_s, backward_s=backward_s, **TIMES)
    slowest = int(np.argmax(sums))
    rows = np.flatnonzero(trace.device == slowest)
    middle = rows[int(0.6 * len(rows)) : int(0.8 * len(rows))]
    assert np.array_equal(trace.start_s[middle][1:], trace.end_s[middle][:-1])


def test_a_slow_link_bounds_the_period_from_below():
    trace = simulate(schedule="round-robin", stages=2, minibatches=60, latency_s=5.0, **TIMES)
    starts = by_pass(trace, "start_s", Op.F)[1]
    assert starts[50] - starts[30] >= 20 * 5.0
