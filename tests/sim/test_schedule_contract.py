"""What every schedule in the registry owes: a complete order that can be run, at any times."""

from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.errors import ConfigurationError
from sim.op import Op
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from tests.oracles.readiness import covered, done_by, needs
from tests.sim.experiments import TIMES, simulate
from tests.sim.fitting import PLAIN, SHARING, fitted, size_keys, takes
from tests.sim.strategies import placed, timings

EVERY = pytest.mark.parametrize("name", SCHEDULES.names())


def test_the_schedules_of_the_papers_are_there():
    assert {"sequential", "gpipe", "1f1b", "round-robin", "nf1b"} <= set(SCHEDULES.names())


@EVERY
def test_a_schedule_says_its_rule_and_source(name):
    schedule = SCHEDULES[name]
    assert schedule.name == name
    assert schedule.rule
    assert schedule.source


@given(placed(tuple(SCHEDULES.names()), workers=1))
def test_every_stage_does_every_micro_batch_once_and_updates_every_minibatch(case):
    """Each home of a stage that has several updates it."""
    schedule, shape = case
    program = schedule.program(shape).validate()
    homes = Counter(stage for d in range(program.devices)
                    for stage in {each.stage for each in program.stream(d)})
    seen = Counter()
    for device in range(program.devices):
        for each in program.stream(device):
            seen.update((each.op.name, each.stage, micro) for micro in covered(each))
    for stage in range(shape.stages):
        for micro in range(shape.total):
            assert seen["F", stage, micro] == 1
            assert seen["U", stage, micro] == homes[stage]
            assert seen["B", stage, micro] + seen["I", stage, micro] == 1
            assert seen["B", stage, micro] + seen["W", stage, micro] == 1
    assert set(op for op, _, _ in seen) <= {"F", "B", "I", "W", "U"}


@given(placed(tuple(SCHEDULES.names()), workers=1))
def test_updates_of_a_stage_come_in_minibatch_order(case):
    schedule, shape = case
    program = schedule.program(shape)
    for device, stage in product(range(program.devices), range(shape.stages)):
        stream = [each for each in program.stream(device) if each.stage == stage]
        updates = [each.index for each in stream if each.op is Op.U]
        assert not stream or updates == [
            i * shape.microbatches for i in range(shape.minibatches)]


@st.composite
def timed(draw):
    schedule, shape = draw(placed(workers=1))
    able = ["static", *["greedy"] * (not len(schedule.program(shape).pairs))]
    return schedule.name, shape, draw(timings(shape.stages)), draw(st.sampled_from(able))


def trace_of(case):
    name, shape, costs, dispatch = case
    return simulate(schedule=name, dispatch=dispatch, **TIMES, **costs, **size_keys(shape))


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
    home = dict(zip(trace.stage.tolist(), trace.device.tolist(), strict=True))
    for each, row in rows.items():
        for source in needs(table, each, case[1].stages - 1):
            crosses = home[source.stage] != home[each.stage]
            before = trace.end_s[rows[source]] + crosses * latency
            assert before <= trace.start_s[row], f"{each} starts before {source} is here"


@pytest.mark.parametrize("name", PLAIN)
def test_one_stage_one_minibatch_is_a_forward_a_backward_and_an_update(name):
    program = SCHEDULES[name].program(PipelineShape(1, 1))
    backward = ["0I0", "0W0"] if name.startswith("zb") else ["0B0"]
    assert [str(each) for each in program.stream(0)] == ["0F0", *backward, "0U0"]


@EVERY
def test_a_stream_names_only_stages_of_its_device(name):
    shape = fitted(name, PipelineShape(4, 3, 2))
    program = SCHEDULES[name].program(shape)
    homes = [{each.stage for each in program.stream(d)} for d in range(program.devices)]
    assert sum(map(len, homes)) == shape.stages * (1 + (name in SHARING))
    assert set().union(*homes) == set(range(shape.stages))


def test_pairs_are_not_dispatched_greedily():
    with pytest.raises(ConfigurationError, match="dispatch: greedy dispatch takes passes one by"):
        simulate(schedule="dualpipev", stages=4, chunks=2, microbatches=4, dispatch="greedy",
                 task="none")


@pytest.mark.parametrize("name", [each.name for each in SCHEDULES if each.like])
def test_what_is_like_another_has_its_order_where_nothing_is_cut_finer(name):
    other = SCHEDULES[SCHEDULES[name].like]
    for sizes in ((1, 1, 1), (3, 4, 1), (2, 3, 4), (4, 2, 9)):
        if takes(name, PipelineShape(*sizes)):
            assert SCHEDULES[name].program(PipelineShape(*sizes)) == other.program(
                PipelineShape(*sizes))
