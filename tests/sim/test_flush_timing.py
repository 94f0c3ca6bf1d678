"""GPipe and 1F1B with flush: makespan, bubble and micro-batches in flight in closed form."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.op import Op
from tests.sim.experiments import TIMES, simulate
from tests.sim.strategies import dyadic

sizes = st.integers(1, 7), st.integers(1, 9)
flushing = st.sampled_from(["gpipe", "1f1b"])


def flushed(schedule, stages, micro, forward_s, backward_s, minibatches=1):
    return simulate(schedule=schedule, stages=stages, minibatches=minibatches,
                    microbatches=micro, forward_s=forward_s, backward_s=backward_s, **TIMES)


@given(flushing, *sizes, dyadic, dyadic, st.integers(1, 3))
def test_makespan_is_micro_batches_plus_stages_minus_one_rounds(
        schedule, stages, micro, forward_s, backward_s, minibatches):
    trace = flushed(schedule, stages, micro, forward_s, backward_s, minibatches)
    assert trace.end_s.max() == minibatches * (micro + stages - 1) * (forward_s + backward_s)


@given(flushing, *sizes, dyadic, dyadic)
def test_bubble_is_stages_minus_one_of_the_rounds(schedule, stages, micro, forward_s, backward_s):
    trace = flushed(schedule, stages, micro, forward_s, backward_s)
    busy = (trace.end_s - trace.start_s).sum()
    bubble = 1 - busy / (stages * trace.end_s.max())
    assert bubble == pytest.approx((stages - 1) / (micro + stages - 1), abs=1e-12)


def most_in_flight(trace, stage: int) -> int:
    mine = trace.stage == stage
    begun = np.sort(trace.start_s[mine & (trace.op == Op.F)])
    ended = np.sort(trace.end_s[mine & (trace.op == Op.B)])
    return max(number + 1 - int((ended <= start).sum()) for number, start in enumerate(begun))


@given(*sizes, dyadic, dyadic)
def test_1f1b_keeps_at_most_the_stages_from_here_on_in_flight(stages, micro, forward_s,
                                                              backward_s):
    trace = flushed("1f1b", stages, micro, forward_s, backward_s, 2)
    for stage in range(stages):
        assert most_in_flight(trace, stage) == min(micro, stages - stage)


@given(*sizes, dyadic, dyadic)
def test_gpipe_keeps_the_whole_minibatch_in_flight(stages, micro, forward_s, backward_s):
    trace = flushed("gpipe", stages, micro, forward_s, backward_s, 2)
    assert [most_in_flight(trace, stage) for stage in range(stages)] == [micro] * stages


@given(*sizes, dyadic, dyadic)
def test_sequential_takes_every_pass_of_every_stage_in_turn(stages, micro, forward_s, backward_s):
    trace = flushed("sequential", stages, micro, forward_s, backward_s)
    assert trace.end_s.max() == micro * stages * (forward_s + backward_s)
