"""Activation memory: held from the start of a forward to the end of its backward."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.metrics.memory import device_peaks, memory
from analysis.metrics.staleness import plan_of
from sim.errors import DeadlockError
from sim.experiment.run import run
from sim.experiment.setup import VirtualSetup
from sim.op import Op
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from sim.times.cluster import Cluster, Link
from sim.times.memory import most_claimed
from tests.sim.experiments import TIMES, experiment, schedule_program, simulate
from tests.sim.strategies import halved, shapes


def most_held(trace, bytes_of: list[float], again: float = 0.0) -> list[float]:
    """Peak activation bytes of each device, from the times alone; `again` while a backward runs."""
    peaks = []
    for device in range(trace.shape.stages):
        moments = []
        for row in np.flatnonzero(trace.device == device):
            size = bytes_of[trace.stage[row]] * trace.count[row]
            if trace.op[row] == Op.F:
                moments.append((trace.start_s[row], 1, size))
            if trace.op[row] == Op.B:
                moments += [(trace.start_s[row], 1, again), (trace.end_s[row], 0, -size - again)]
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


@given(limited(), st.sampled_from(["round-robin", "1f1b", "gpipe", "nf1b"]))
def test_under_greedy_dispatch_forwards_leave_room_for_what_is_made_again(case, schedule):
    shape, sizes, more, seed = case
    crossing, again = 1.0, sizes[0]
    limit = shape.microbatches * crossing + again + more
    trace = simulate(schedule=schedule, stages=shape.stages, minibatches=shape.minibatches,
                     microbatches=shape.microbatches, activation_bytes=again, seed=seed,
                     boundary_bytes=crossing, backward="recompute", jitter={"sigma": 0.5},
                     activation_limit_bytes=limit, dispatch="greedy", **TIMES)
    kept = [0.0] + [crossing] * (shape.stages - 1)
    assert max(most_held(trace, kept, again)) <= limit
    assert (trace.end_s > trace.start_s)[np.isin(trace.op, (Op.F, Op.B))].all()


@given(limited(), st.sampled_from(["1f1b", "gpipe", "nf1b"]))
def test_halves_under_greedy_dispatch_end_in_the_least_memory_they_can(case, schedule):
    """An input half leaves activations to its weight half: the next one waits, nothing stalls."""
    shape, sizes, more, seed = case
    crossing, again = 1.0, sizes[0]
    program = halved(SCHEDULES[schedule].program(shape))
    limit = shape.microbatches * (crossing + again) + more
    trace = simulate(program, stages=shape.stages, minibatches=shape.minibatches, seed=seed,
                     microbatches=shape.microbatches, activation_bytes=again,
                     boundary_bytes=crossing, backward="recompute", jitter={"sigma": 0.5},
                     activation_limit_bytes=limit, dispatch="greedy", **TIMES)
    held = memory(trace, plan_of(trace))
    assert max(stage.activation_bytes.peak for stage in held) <= limit


@given(limited(), st.sampled_from(["simpy", "exact-plain", "exact-periodic"]))
def test_every_engine_refuses_a_recomputed_order_at_the_same_limit(case, engine):
    shape, sizes, more, _ = case
    given = experiment(stages=shape.stages, minibatches=shape.minibatches, backward="recompute",
                       microbatches=shape.microbatches, activation_bytes=sizes[0],
                       boundary_bytes=1.0, **TIMES)
    free = run(given, engine=engine)
    kept = [0.0] + [1.0] * (shape.stages - 1)
    limit = sizes[0] + more
    tight = given.changed(activation_limit_bytes=limit)
    if limit >= max(most_held(free, kept, sizes[0])):
        assert np.array_equal(run(tight, engine=engine).start_s, free.start_s)
    else:
        with pytest.raises(DeadlockError, match="activation memory"):
            run(tight, engine=engine)


def test_a_recomputed_backward_that_does_not_fit_is_refused_with_its_numbers():
    """FAULTS row 1: four inputs of a byte are held when ten bytes are to be made again."""
    keys = {"schedule": "1f1b", "stages": 4, "minibatches": 1, "microbatches": 8,
            "backward": "recompute", "activation_bytes": 10.0, "boundary_bytes": 1.0, **TIMES}
    with pytest.raises(DeadlockError, match=r"1B0 waits for activation memory \(10 bytes beside 3 "
                                            r"held, limit 5\), and its order needs 13"):
        simulate(**keys, activation_limit_bytes=5.0)
    assert len(simulate(**keys, activation_limit_bytes=13.0))


def test_greedy_halves_wait_for_each_others_memory():
    """An input half that has no room waits until the weight half before it has given its back."""
    program = halved(schedule_program("1f1b", 2, 1, 4))
    trace = simulate(program, stages=2, minibatches=1, microbatches=4, activation_bytes=10.0,
                     boundary_bytes=1.0, backward="recompute", dispatch="greedy",
                     activation_limit_bytes=14.0, **TIMES)
    for stage in range(2):
        own = (trace.stage == stage) & np.isin(trace.op, (Op.I, Op.W))
        assert trace.op[own].tolist() == 4 * [Op.I, Op.W]


def peak_of(text: str, shape: PipelineShape, again: float | None) -> float:
    """Peak bytes of one device where a micro-batch keeps 3, and so many are made again."""
    cluster = Cluster(Link(), np.zeros(0), np.array([3.0]),
                      recomputed_bytes=None if again is None else np.array([again]))
    (peak,) = most_claimed(Program.parse(text, shape), cluster)
    return float(peak)


@pytest.mark.parametrize(("order", "kept", "peak"), [
    ("0F0,0I0,0W0,0F1,0I1,0W1,0U0-1", 3.0, 3.0 + 10.0),  # one at a time
    ("0F0,0I0,0F1,0W0,0I1,0W1,0U0-1", 6.0, 6.0 + 10.0),  # what I made again is held until W
    ("0F0,0F1,0I0,0I1,0W0,0W1,0U0-1", 6.0, 6.0 + 20.0),  # both micro-batches' at once
    ("0F0,0F1,0I0,0W0,0I1,0W1,0U0-1", 6.0, 6.0 + 10.0),
    ("0F0,0F1,0B0,0B1,0U0-1", 6.0, 6.0 + 10.0),
    ("0F0,0F1,0B0-1,0U0-1", 6.0, 6.0 + 10.0)])  # a whole backward does one after another
def test_a_split_backward_holds_the_input_from_f_to_w_and_activations_from_i_to_w(order, kept,
                                                                                 peak):
    shape = PipelineShape(1, 1, 2)
    assert peak_of(order, shape, None) == kept
    assert peak_of(order, shape, 10.0) == peak


@pytest.mark.parametrize(("cell", "kept"), [("(0F1;0B0)", 6.0), ("(0B0;0F1)", 6.0),
                                            ("0B0,0F1", 3.0)])
def test_both_of_a_pair_hold_what_they_need_for_as_long_as_it_runs(cell, kept):
    order, shape = f"0F0,{cell},0B1,0U0-1", PipelineShape(1, 1, 2)
    assert peak_of(order, shape, None) == kept
    assert peak_of(order, shape, 10.0) == kept + 10.0


@given(shapes(4, 4, (1, 2, 3)), st.sampled_from(["graph", "recompute"]), st.integers(0, 5))
def test_what_an_order_claims_is_what_its_run_held(shape, backward, seed):
    """Beforehand from the order, and from the times of the run: the same peak of every device."""
    program = halved(SCHEDULES["1f1b"].program(shape))
    asked = experiment(schedule="file", stages=shape.stages, minibatches=shape.minibatches,
                       microbatches=shape.microbatches, backward=backward, activation_bytes=7.0,
                       boundary_bytes=2.0, seed=seed, jitter={"sigma": 0.5}, **TIMES)
    claimed = most_claimed(program, VirtualSetup.of(asked, program).cluster)
    trace = run(asked, program)
    assert device_peaks(trace, memory(trace, plan_of(trace))) == claimed.tolist()
