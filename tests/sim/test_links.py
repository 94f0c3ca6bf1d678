"""A link carries one transfer at a time each way, first come first served; latency comes after."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.op import Op
from tests.sim.experiments import TIMES, by_pass, simulate
from tests.sim.strategies import names, shapes, timings
from tests.sim.times.engines import NAMES, times


@st.composite
def linked(draw):
    shape = draw(shapes(4, 6, (1, 2, 4)))
    keys = {**draw(timings(shape.stages)), "latency_s": draw(st.sampled_from([0.5, 3.0]))}
    return draw(names), shape, keys, draw(st.sampled_from(["static", "greedy"]))


def rounded(seconds):
    return np.round(seconds * 2**30) / 2**30


def transfer_s(keys, count):
    rate = keys["bandwidth_bytes_per_s"]
    held = keys["latency_s"] if keys["latency"] == "held" else 0.0
    return rounded(held + (keys["boundary_bytes"] * count / rate if rate else 0.0))


@given(linked())
def test_a_message_goes_when_sent_or_when_the_one_before_has_let_go_of_the_link(case):
    name, shape, keys, dispatch = case
    trace = simulate(schedule=name, stages=shape.stages, minibatches=shape.minibatches,
                     microbatches=shape.microbatches, dispatch=dispatch, **TIMES, **keys)
    after = rounded(keys["latency_s"]) if keys["latency"] == "pipelined" else 0.0
    for op in (Op.F, Op.B):
        for stage in range(shape.stages):
            rows = np.flatnonzero((trace.op == op) & (trace.stage == stage)
                                  & ~np.isnan(trace.arrived_s))
            if stage == (0 if op == Op.F else shape.stages - 1):
                assert len(rows) == 0
                continue
            rows = rows[np.argsort(trace.sent_s[rows], kind="stable")]
            sent, gone = trace.sent_s[rows], trace.arrived_s[rows] - after
            before = np.concatenate(([0.0], gone[:-1]))
            transfer = transfer_s(keys, trace.count[rows])
            assert np.array_equal(gone, np.maximum(sent, before) + transfer)


@pytest.mark.parametrize(("latency", "makespan"), [("pipelined", 3.8), ("held", 16.4)])
@pytest.mark.parametrize("engine", ["simpy", *NAMES])
def test_latency_is_no_occupancy_unless_the_link_is_held(latency, makespan, engine):
    """GPipe on two stages: eight messages each way, 1 s of latency and no bytes to speak of.

    Pipelined: 8 forwards of 0.1 s, 1 s, the last forward and 8 backwards, 1 s, the last backward.
    Held: 8 messages of 1 s there and 8 back, and 4 passes outside them.
    """
    keys = {"stages": 2, "minibatches": 1, "microbatches": 8, "latency_s": 1.0,
            "forward_s": 0.1, "backward_s": 0.1}
    found = times(engine, schedule="gpipe", latency=latency, **keys)
    assert found.end_s.max() == pytest.approx(makespan, abs=1e-7)


@given(linked())
def test_a_message_is_sent_when_its_producer_ends_and_waited_for(case):
    name, shape, keys, dispatch = case
    trace = simulate(schedule=name, stages=shape.stages, minibatches=shape.minibatches,
                     microbatches=shape.microbatches, dispatch=dispatch, **TIMES, **keys)
    backward = Op.I if np.any(trace.op == Op.I) else Op.B  # gradients go with the input half
    forward_end, backward_end = (by_pass(trace, "end_s", op) for op in (Op.F, backward))
    for op, ends, shift in ((Op.F, forward_end, -1), (backward, backward_end, 1)):
        sent = by_pass(trace, "sent_s", op)
        for stage in range(shape.stages):
            if 0 <= stage + shift < shape.stages:
                assert np.array_equal(sent[stage], ends[stage + shift])
    crossing = ~np.isnan(trace.arrived_s)
    assert np.all(trace.start_s[crossing] >= trace.arrived_s[crossing])


def test_the_two_directions_do_not_wait_for_each_other():
    trace = simulate(schedule="round-robin", stages=2, minibatches=4, latency_s=10.0,
                     latency="held", **TIMES)
    down = by_pass(trace, "sent_s", Op.F)[1], by_pass(trace, "arrived_s", Op.F)[1]
    up = by_pass(trace, "sent_s", Op.B)[0], by_pass(trace, "arrived_s", Op.B)[0]
    overlapping = [(i, j) for i in range(4) for j in range(4)
                   if max(down[0][i], up[0][j]) < min(down[1][i], up[1][j])]
    assert overlapping
    assert down[1][1] - down[1][0] == pytest.approx(10.0)


def test_a_gradient_of_a_whole_minibatch_is_as_large_as_its_micro_batches():
    trace = simulate(schedule="nf1b", stages=2, minibatches=3, microbatches=4,
                     boundary_bytes=8.0, bandwidth_bytes_per_s=16.0, **TIMES)
    up = by_pass(trace, "arrived_s", Op.B)[0] - by_pass(trace, "sent_s", Op.B)[0]
    down = by_pass(trace, "arrived_s", Op.F)[1] - by_pass(trace, "sent_s", Op.F)[1]
    assert np.all(up == 4 * 8.0 / 16.0)
    assert down[0] == 8.0 / 16.0


def test_boundaries_have_their_own_sizes():
    trace = simulate(schedule="sequential", stages=3, minibatches=2, boundary_bytes=[2.0, 6.0],
                     bandwidth_bytes_per_s=2.0, **TIMES)
    took = by_pass(trace, "arrived_s", Op.F) - by_pass(trace, "sent_s", Op.F)
    assert took[1:].tolist() == [[1.0, 1.0], [3.0, 3.0]]
    took = by_pass(trace, "arrived_s", Op.B) - by_pass(trace, "sent_s", Op.B)
    assert took[:2].tolist() == [[1.0, 1.0], [3.0, 3.0]]
