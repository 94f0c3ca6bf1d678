"""What every schedule in the registry owes: a complete order that can be run, at any times."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.op import Op
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from tests.oracles.readiness import covered, done_by, needs
from tests.sim.experiments import TIMES, simulate
from tests.sim.strategies import names, shapes, timings

EVERY = pytest.mark.parametrize("name", SCHEDULES.names())


def test_the_schedules_of_the_papers_are_there():
    assert {"sequential", "gpipe", "1f1b", "round-robin", "nf1b"} <= set(SCHEDULES.names())


@EVERY
def test_a_schedule_says_its_rule_and_source(name):
    schedule = SCHEDULES[name]
    assert schedule.name == name
    assert schedule.rule
    assert schedule.source


@given(names, shapes(7, 8))
def test_every_stage_does_every_micro_batch_once_and_updates_every_minibatch(name, shape):
    program = SCHEDULES[name].program(shape).validate()
    seen = Counter()
    for device in range(program.devices):
        for each in program.stream(device):
            seen.update((each.op.name, each.stage, micro) for micro in covered(each))
    for stage in range(shape.stages):
        for micro in range(shape.total):
            assert seen["F", stage, micro] == 1
            assert seen["U", stage, micro] == 1
            assert seen["B", stage, micro] + seen["I", stage, micro] == 1
            assert seen["B", stage, micro] + seen["W", stage, micro] == 1
    assert set(op for op, _, _ in seen) <= {"F", "B", "I", "W", "U"}


@given(names, shapes(5, 5))
def test_updates_of_a_stage_come_in_minibatch_order(name, shape):
    program = SCHEDULES[name].program(shape)
    for stage in range(shape.stages):
        updates = [each.index for d in range(program.devices) for each in program.stream(d)
                   if each.op is Op.U and each.stage == stage]
        assert updates == [i * shape.microbatches for i in range(shape.minibatches)]


@st.composite
def timed(draw):
    shape = draw(shapes(4, 5, (1, 2, 4)))
    return draw(names), shape, draw(timings(shape.stages)), draw(
        st.sampled_from(["static", "greedy"]))


def trace_of(case):
    name, shape, keys, dispatch = case
    return simulate(schedule=name, stages=shape.stages, minibatches=shape.minibatches,
                    microbatches=shape.microbatches, dispatch=dispatch, **TIMES, **keys)


@given(timed())
def test_nothing_overlaps_on_a_device(case):
    trace = trace_of(case)
    for device in np.unique(trace.device):
        rows = trace.device == device
        assert np.all(trace.start_s[rows] >= 0)
        assert np.all(trace.end_s[rows] >= trace.start_s[rows])
        assert np.all(trace.start_s[rows][1:] >= trace.end_s[rows][:-1])


@given(timed())
def test_dependencies_are_respected_in_time(case):

    trace = trace_of(case)
    program = trace.program().validate()
    rows = {trace.instruction(row): row for row in range(len(trace))}
    latency = case[2]["latency_s"] * (1 - 1e-6)
    table = done_by(program)
    for each, row in rows.items():
        for source in needs(table, each, case[1].stages - 1):
            crosses = source.stage != each.stage
            before = trace.end_s[rows[source]] + crosses * latency
            assert before <= trace.start_s[row], f"{each} starts before {source} is here"


@EVERY
def test_one_stage_one_minibatch_is_a_forward_a_backward_and_an_update(name):
    program = SCHEDULES[name].program(PipelineShape(1, 1))
    assert [str(each) for each in program.stream(0)] == ["0F0", "0B0", "0U0"]


@EVERY
def test_a_stream_names_only_stages_of_its_device(name):
    program = SCHEDULES[name].program(PipelineShape(4, 3, 2))
    homes = [{each.stage for each in program.stream(d)} for d in range(program.devices)]
    assert sum(map(len, homes)) == 4
    assert set().union(*homes) == {0, 1, 2, 3}
