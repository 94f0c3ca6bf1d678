"""Activation memory: held from the start of a forward to the end of its backward."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.errors import DeadlockError
from sim.op import Op
from tests.sim.experiments import TIMES, simulate
from tests.sim.strategies import shapes


def most_held(trace, bytes_of: list[float]) -> list[float]:
    """Peak activation bytes of each device, from the times alone."""
    peaks = []
    for device in range(trace.shape.stages):
        moments = []
        for row in np.flatnonzero(trace.device == device):
            size = bytes_of[trace.stage[row]] * trace.count[row]
            if trace.op[row] == Op.F:
                moments.append((trace.start_s[row], 1, size))
            if trace.op[row] == Op.B:
                moments.append((trace.end_s[row], 0, -size))
        held = np.cumsum([size for *_, size in sorted(moments)])
        peaks.append(float(held.max()))
    return peaks


@st.composite
def limited(draw):
    shape = draw(shapes(4, 6, (1, 2)))
    sizes = [float(draw(st.integers(1, 5))) for _ in range(shape.stages)]
    return shape, sizes, draw(st.integers(0, 12)), draw(st.integers(0, 9))


@given(limited(), st.sampled_from(["round-robin", "1f1b", "gpipe"]))
def test_under_greedy_dispatch_the_limit_is_never_passed(case, schedule):
    shape, sizes, more, seed = case
    limit = max(sizes) + more
    trace = simulate(schedule=schedule, stages=shape.stages, minibatches=shape.minibatches,
                     microbatches=shape.microbatches, activation_bytes=sizes, seed=seed,
                     activation_limit_bytes=limit, dispatch="greedy", jitter={"sigma": 0.5},
                     **TIMES)
    assert max(most_held(trace, sizes)) <= limit


@given(limited())
def test_a_static_order_runs_exactly_where_its_own_peak_fits(case):
    shape, sizes, more, seed = case
    keys = {"stages": shape.stages, "minibatches": shape.minibatches, "activation_bytes": sizes,
            "microbatches": shape.microbatches, "seed": seed, "jitter": {"sigma": 0.5}, **TIMES}
    free = simulate(**keys)
    limit = float(max(sizes) + more)
    if limit >= max(most_held(free, sizes)):
        bounded = simulate(**keys, activation_limit_bytes=limit)
        assert np.array_equal(bounded.start_s, free.start_s)
    else:
        with pytest.raises(DeadlockError, match="activation memory"):
            simulate(**keys, activation_limit_bytes=limit)


def test_back_pressure_slows_the_pipeline_and_lets_it_end():
    keys = {"stages": 4, "minibatches": 20, "activation_bytes": 1.0, "dispatch": "greedy",
            **TIMES}
    free, bounded = simulate(**keys), simulate(**keys, activation_limit_bytes=2.0)
    assert max(most_held(free, [1.0] * 4)) > 2
    assert max(most_held(bounded, [1.0] * 4)) == 2
    assert bounded.end_s.max() > free.end_s.max()
    assert len(bounded) == len(free)


def test_an_activation_is_held_until_its_backward_ends():
    """With room for one, a stage takes its next forward the moment its backward has ended."""
    trace = simulate(stages=2, minibatches=4, activation_bytes=1.0, activation_limit_bytes=1.0,
                     dispatch="greedy", **TIMES)
    ends = np.sort(trace.end_s[(trace.stage == 0) & (trace.op == Op.B)])
    starts = np.sort(trace.start_s[(trace.stage == 0) & (trace.op == Op.F)])
    assert np.array_equal(starts[1:], ends[:-1])


def test_halves_of_a_backward_free_the_memory_at_the_weight_half():
    from sim.order.program import Program
    from sim.order.shape import PipelineShape

    program = Program.parse("0F0,0I0,0F1,0W0,0U0,0I1,0W1,0U1\n", PipelineShape(1, 2))
    keys = {"stages": 1, "minibatches": 2, "activation_bytes": 1.0, **TIMES}
    assert len(simulate(program, **keys, activation_limit_bytes=2.0)) == 8
    with pytest.raises(DeadlockError, match="0F1 waits for activation memory"):
        simulate(program, **keys, activation_limit_bytes=1.0)
