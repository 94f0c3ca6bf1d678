"""Work-conserving dispatch: valid orders that follow the times, recorded and replayed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.op import Op
from sim.order.program import Program
from sim.order.shape import PipelineShape
from tests.oracles.version_walk import updates_seen
from tests.sim.experiments import (
    TIMES,
    TINY,
    by_pass,
    history,
    same_weights,
    schedule_program,
    simulate,
)
from tests.sim.strategies import names, shapes, timings

JITTERY = {"stages": 4, "minibatches": 60, "jitter": {"sigma": 0.3}, "dispatch": "greedy"}


@st.composite
def greedy(draw):
    shape = draw(shapes(4, 6, (1, 2, 4)))
    keys = {"schedule": draw(names), "stages": shape.stages, "minibatches": shape.minibatches,
            "microbatches": shape.microbatches, "dispatch": "greedy", **TIMES}
    return {**keys, **draw(timings(shape.stages)), "jitter": {"sigma": 0.6}}


@given(greedy())
def test_a_greedy_order_is_a_valid_program(keys):
    trace = simulate(**keys)
    program = trace.program().validate()
    original = schedule_program(keys["schedule"], keys["stages"], keys["minibatches"],
                                keys["microbatches"])
    for device in range(program.devices):
        assert sorted(map(str, program.stream(device))) == sorted(
            map(str, original.stream(device)))


@given(greedy())
def test_passes_of_a_stage_stay_in_micro_batch_order(keys):
    program = simulate(**keys).program()
    for device in range(program.devices):
        for op in (Op.F, Op.B, Op.U):
            order = [each.index for each in program.stream(device) if each.op is op]
            assert order == sorted(order)


def peaks(stream, microbatches: int) -> tuple[int, int]:
    """Most micro-batches in flight and most mini-batches begun and not updated."""
    flight = begun = most_flight = most_begun = 0
    for each in stream:
        if each.op is Op.F:
            flight += 1
            begun += each.index % microbatches == 0
        if each.op is Op.B:
            flight -= each.count
        begun -= each.op is Op.U
        most_flight, most_begun = max(most_flight, flight), max(most_begun, begun)
    return most_flight, most_begun


@given(greedy())
def test_stage_0_never_admits_more_than_the_static_program(keys):
    n = keys["microbatches"]
    static = schedule_program(keys["schedule"], keys["stages"], keys["minibatches"], n)
    taken = simulate(**keys).program()
    flight, begun = peaks(taken.stream(0), n)
    most_flight, most_begun = peaks(static.stream(0), n)
    assert flight <= most_flight
    assert begun <= most_begun


def test_under_jitter_the_staleness_of_a_stage_is_a_distribution():
    trace = simulate(**JITTERY, **TIMES)
    staleness = by_pass(trace, "staleness", Op.F)
    values = [set(row[8:-8]) for row in staleness]
    assert max(map(len, values)) > 1
    static = by_pass(simulate(**{**JITTERY, "dispatch": "static"}, **TIMES), "staleness", Op.F)
    assert [len(set(row[8:-8])) for row in static] == [1] * 4


@pytest.mark.parametrize("mitigation", ["none", "stash", "spectrain", "i-timeprest"])
def test_a_recorded_order_replays_with_the_same_versions_and_weights(mitigation):
    keys = {**TINY, "stages": 4, "minibatches": 20, "mitigation": mitigation}
    recorded, weights = history(**keys, dispatch="greedy", jitter={"sigma": 0.5})
    order = recorded.program()
    assert order != schedule_program("round-robin", 4, 20)
    replayed, again = history(order, **keys, forward_s=3.0, latency_s=0.7)
    assert same_weights(weights, again)
    for column in ("version_read", "version_applied", "weight_rmse"):
        assert np.array_equal(getattr(recorded, column), getattr(replayed, column),
                              equal_nan=True)


@pytest.mark.parametrize("schedule", ["gpipe", "1f1b", "sequential"])
def test_a_schedule_that_flushes_stays_synchronous(schedule):
    keys = {**TINY, "schedule": schedule, "stages": 3, "minibatches": 5, "microbatches": 4}
    trace, weights = history(**keys, dispatch="greedy", jitter={"sigma": 0.8})
    assert np.all(trace.staleness == 0)
    assert same_weights(weights, history(**keys)[1])


@given(greedy())
def test_a_later_stage_starts_a_forward_as_soon_as_it_is_there_and_the_device_free(keys):
    trace = simulate(**keys)
    rows = {trace.instruction(row): row for row in range(len(trace))}
    here = np.where(np.isnan(trace.arrived_s), 0.0, trace.arrived_s)
    for each, row in rows.items():
        if each.op is not Op.F or each.stage == 0:
            continue
        earlier = (trace.device == trace.device[row]) & (trace.end_s <= trace.start_s[row])
        free = trace.end_s[earlier].max(initial=0.0)
        assert trace.start_s[row] == max(free, here[row])


def test_a_backward_goes_before_a_forward_that_is_also_ready():
    trace = simulate(stages=2, minibatches=30, forward_s=[0.25, 1.0], backward_s=[0.25, 1.0],
                     dispatch="greedy", **TIMES)
    assert [str(each) for each in list(trace.program().stream(1))[:6]] == [
        "1F0", "1B0", "1U0", "1F1", "1B1", "1U1"]


@pytest.mark.parametrize("latency_s", [0.0, 1.0])
@pytest.mark.parametrize(("schedule", "microbatches"), [("round-robin", 1), ("nf1b", 2),
                                                        ("1f1b", 4)])
@pytest.mark.parametrize("stages", [3, 4, 5])
def test_a_forward_starts_only_where_no_backward_is_there_at_that_moment(
        stages, schedule, microbatches, latency_s):
    """At unit costs messages of both directions arrive together: all of them are looked at."""
    trace = simulate(stages=stages, minibatches=12, schedule=schedule, latency_s=latency_s,
                     microbatches=microbatches, dispatch="greedy", **TIMES)
    own_forward = by_pass(trace, "end_s", Op.F)
    for stage in range(stages):
        forwards = trace.start_s[(trace.op == Op.F) & (trace.stage == stage)]
        for row in np.flatnonzero((trace.op == Op.B) & (trace.stage == stage)):
            last = trace.index[row] + trace.count[row] - 1
            ready = np.fmax(trace.arrived_s[row], own_forward[stage, last])
            waiting = (forwards >= ready) & (forwards < trace.start_s[row])
            assert not waiting.any(), f"{trace.instruction(row)} is overtaken"


def test_versions_of_a_recorded_order_are_those_of_its_walk():
    trace = simulate(**JITTERY, **TIMES, mitigation="stash")
    seen = updates_seen(trace.program())
    for row in np.flatnonzero(trace.op == Op.F):
        each = trace.instruction(row)
        assert trace.version_read[row] == seen["F", each.stage, each.index]


def test_halves_of_a_backward_run_greedily_too():
    text = "0F0,0I0,0W0,0U0,0F1,0I1,0W1,0U1,0F2,0I2,0W2,0U2\n"
    program = Program.parse(text, PipelineShape(1, 3))
    trace = simulate(program, stages=1, minibatches=3, dispatch="greedy", **TIMES)
    assert trace.end_s.max() == 6.0


def test_greedy_refuses_a_lowered_program_with_the_reason():
    lowered = schedule_program("round-robin", 2, 3).lower()
    with pytest.raises(ValueError, match="messages of its own is part of it"):
        simulate(lowered, stages=2, minibatches=3, dispatch="greedy", **TIMES)
