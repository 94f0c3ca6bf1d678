"""Durations: rounding to ticks, jitter, halves of a backward, recomputing, profiles."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.op import Op
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.times.costs import TICK, quantize
from tests.sim.experiments import TIMES, by_pass, schedule_program, simulate


def lasting(trace, op: Op) -> np.ndarray:
    """Seconds of the passes of one operation, by (stage, micro-batch)."""
    return by_pass(trace, "end_s", op) - by_pass(trace, "start_s", op)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_rounded_seconds_are_whole_ticks_within_half_a_tick(values):
    rounded = quantize(np.array(values))
    assert np.all(rounded * 2**30 == np.floor(rounded * 2**30))
    assert np.all(np.abs(rounded - values) <= 0.5 * 2.0**-30)


def test_a_tick_is_about_a_nanosecond():
    assert TICK == 2.0**-30


@given(st.lists(st.floats(0, 1e5), min_size=2, max_size=40), st.randoms(use_true_random=False))
def test_sums_of_rounded_seconds_do_not_depend_on_their_order(values, random):
    rounded = quantize(np.array(values)).tolist()
    shuffled = list(rounded)
    random.shuffle(shuffled)
    assert sum(shuffled) == sum(rounded)


def test_costs_are_one_number_or_one_per_stage():
    trace = simulate(stages=3, minibatches=4, forward_s=[1.0, 2.0, 4.0], backward_s=0.5,
                     update_s=0.25, **TIMES)
    assert lasting(trace, Op.F).T.tolist() == [[1.0, 2.0, 4.0]] * 4
    assert np.all(lasting(trace, Op.B) == 0.5)
    assert np.all(lasting(trace, Op.U) == 0.25)


def test_jitter_is_lognormal_with_mean_one_and_the_given_sigma():
    trace = simulate(stages=4, minibatches=2000, forward_s=2.0, jitter={"sigma": 0.3}, **TIMES)
    logs = np.log(lasting(trace, Op.F) / 2.0)
    assert lasting(trace, Op.F).mean() == pytest.approx(2.0, rel=0.02)
    assert logs.std() == pytest.approx(0.3, rel=0.03)
    assert logs.mean() == pytest.approx(-(0.3**2) / 2, abs=0.02)


def test_jitter_differs_between_forwards_and_backwards_stages_and_micro_batches():
    trace = simulate(stages=3, minibatches=20, jitter={"sigma": 0.3}, **TIMES)
    everything = np.concatenate([lasting(trace, op).ravel() for op in (Op.F, Op.B)])
    assert len(np.unique(everything)) == len(everything)


def test_jitter_belongs_to_the_instruction_and_not_to_its_place():
    keys = {"stages": 3, "minibatches": 20, "jitter": {"sigma": 0.5}, **TIMES}
    static, greedy = (simulate(**keys, dispatch=d) for d in ("static", "greedy"))
    assert [str(static.instruction(r)) for r in range(len(static))] != [
        str(greedy.instruction(r)) for r in range(len(greedy))]
    for op in (Op.F, Op.B, Op.U):
        assert np.array_equal(lasting(static, op), lasting(greedy, op))


def test_the_seed_changes_the_jitter():
    one, same, other = (simulate(stages=2, jitter={"sigma": 0.5}, seed=seed, **TIMES).end_s.max()
                        for seed in (1, 1, 2))
    assert one == same != other


@pytest.mark.parametrize(("again", "extra"), [(None, [1.0, 2.0]), (0.25, [0.25, 0.25]),
                                              ([0.5, 0.125], [0.5, 0.125])])
def test_recomputing_adds_a_forward_to_every_backward_unless_told_otherwise(again, extra):
    keys = {} if again is None else {"recompute_s": again}
    plain, recompute = (simulate(stages=2, minibatches=3, forward_s=[1.0, 2.0], backward_s=4.0,
                                 backward=b, **keys, **TIMES) for b in ("graph", "recompute"))
    assert np.all(lasting(plain, Op.B) == 4.0)
    assert lasting(recompute, Op.B)[:, 0].tolist() == [4.0 + e for e in extra]


def test_a_backward_of_a_whole_minibatch_recomputes_every_micro_batch():
    trace = simulate(schedule="nf1b", stages=2, minibatches=2, microbatches=4, backward_s=3.0,
                     backward="recompute", **TIMES)
    assert np.all(lasting(trace, Op.B) == 3.0 + 4 * 1.0)


def test_the_halves_of_a_backward_take_half_of_it():
    program = Program.parse("0F0,0I0,0W0,0U0,0F1,0I1,0W1,0U1\n", PipelineShape(1, 2))
    trace = simulate(program, stages=1, minibatches=2, backward_s=3.0, **TIMES)
    assert np.all(lasting(trace, Op.I) == 1.5)
    assert np.all(lasting(trace, Op.W) == 1.5)


def test_the_input_half_of_a_backward_recomputes():
    program = Program.parse("0F0,0I0,0W0,0U0\n", PipelineShape(1, 1))
    trace = simulate(program, stages=1, minibatches=1, backward_s=3.0, recompute_s=0.5,
                     backward="recompute", **TIMES)
    assert lasting(trace, Op.I).tolist() == [[2.0]]
    assert lasting(trace, Op.W).tolist() == [[1.5]]


def write_profile(path, **stage) -> str:
    stages = [{"forward_s": 1.0, "backward_s": 2.0, **stage} for _ in range(2)]
    path.write_text(json.dumps({"format": "pipestale-profile", "version": 1, "stages": stages,
                                "latency_s": 0.5, "boundary_bytes": [100.0],
                                "bandwidth_bytes_per_s": 200.0}))
    return str(path)


def test_a_profiled_backward_of_several_micro_batches_takes_that_many_times_as_long(tmp_path):
    trace = simulate(schedule="nf1b", stages=2, minibatches=2, microbatches=4,
                     profile=write_profile(tmp_path / "p.json", update_s=0.125), **TIMES)
    assert np.all(lasting(trace, Op.F) == 1.0)
    assert np.all(lasting(trace, Op.B) == 4 * 2.0)
    assert np.all(lasting(trace, Op.U) == 0.125)


def test_a_profiled_link_is_used_where_the_configuration_gives_none(tmp_path):
    file = write_profile(tmp_path / "p.json")
    profiled = simulate(stages=2, minibatches=2, profile=file, **TIMES)
    given_here = simulate(stages=2, minibatches=2, profile=file, latency_s=0.25,
                          bandwidth_bytes_per_s=400.0, **TIMES)
    for trace, transfer in ((profiled, 0.5 + 100 / 200), (given_here, 0.25 + 100 / 400)):
        wait = by_pass(trace, "arrived_s", Op.F)[1] - by_pass(trace, "sent_s", Op.F)[1]
        assert np.all(wait == transfer)


def test_profiled_recomputing_uses_the_measured_seconds(tmp_path):
    file = write_profile(tmp_path / "p.json", recompute_s=0.75)
    trace = simulate(stages=2, minibatches=2, profile=file, backward="recompute", **TIMES)
    assert np.all(lasting(trace, Op.B) == 2.75)


def test_messages_take_no_time_of_a_device():
    program = schedule_program("round-robin", 3, 4).lower()
    trace = simulate(program, stages=3, minibatches=4, latency_s=1.0, **TIMES)
    message = trace.op > Op.U
    assert message.any()
    assert np.array_equal(trace.start_s[message], trace.end_s[message])


def test_a_slow_workers_seconds_are_rounded_once():
    trace = simulate(stages=1, minibatches=2, schedule="sequential", count=2, slowdown=1.5,
                     width=4, batch_size=4, forward_s=1.0, backward_s=2.7342445890854177)
    took = (trace.end_s - trace.start_s)[trace.op == Op.B] * 2**30
    assert took.tolist() == [4403809159.0] * 2  # 4403809158, rounded before as well
