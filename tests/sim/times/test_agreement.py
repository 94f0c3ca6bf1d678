"""Every engine gives the same bits: schedules, mitigations, costs, jitter, links, stragglers."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sim.errors import InvalidProgramError
from sim.experiment.run import run
from sim.mitigations import MITIGATIONS
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from sim.times.exact import in_order
from sim.times.exact import timeline as exact
from sim.trace import COLUMNS
from tests.sim.experiments import experiment, schedule_program
from tests.sim.fitting import SHARING, fitted, size_keys
from tests.sim.pairs import accepted, running, table
from tests.sim.strategies import dyadic, names, placed, shapes, timings, unlike
from tests.sim.times.engines import NAMES, assert_equal, times


@st.composite
def windows(draw, stages):
    count = draw(st.integers(0, 2))
    return [{"stage": draw(st.integers(0, stages - 1)), "from_s": draw(dyadic),
             "to_s": 100.0, "factor": draw(st.floats(0.1, 5.0))} for _ in range(count)]


@st.composite
def trends(draw, stages):
    begins, count = draw(dyadic), draw(st.integers(0, 2))
    return [{"stage": draw(st.integers(0, stages - 1)), "from_s": begins,
             "to_s": begins + draw(st.sampled_from([0.0, 3.3, 50.0])),
             "factor": draw(st.floats(0.1, 5.0))} for _ in range(count)]


@st.composite
def cases(draw):
    shape = draw(shapes(5, 60, (1, 2, 3, 4)))
    keys = draw(timings(shape.stages))
    if draw(st.booleans()):
        keys["stragglers"] = draw(windows(shape.stages))
        keys["trends"] = draw(trends(shape.stages))
    keys |= draw(unlike(shape)) if draw(st.booleans()) else {}
    return {"schedule": draw(names), "stages": shape.stages, "minibatches": shape.minibatches,
            "microbatches": shape.microbatches, **keys}


@settings(deadline=None)
@given(cases())
def test_all_engines_agree_bit_for_bit(keys):
    reference = times("simpy", **keys)
    for engine in NAMES:
        assert_equal(times(engine, **keys), reference)
    with mock.patch.object(in_order, "FEWEST_SEGMENTS", 0):  # what long runs do
        assert_equal(times("exact-plain", **keys), reference)


@settings(deadline=None, max_examples=60)
@given(placed(tuple(SCHEDULES.names())), st.data())
def test_all_engines_agree_wherever_stages_lie(case, data):
    schedule, shape = case
    keys = {"schedule": schedule.name, **size_keys(shape), **data.draw(timings(shape.stages))}
    assume(not (schedule.name in SHARING and shape.workers > 1))
    reference = times("simpy", **keys)
    for engine in NAMES:
        assert_equal(times(engine, **keys), reference)


@settings(deadline=None, max_examples=60)
@given(cases(), st.data())
def test_whole_traces_agree_bit_for_bit_under_every_mitigation(keys, data):
    pairs = running(keys["stages"], keys["microbatches"])
    schedule, mitigation = data.draw(st.sampled_from(pairs))
    given_ = experiment(**{**keys, "schedule": schedule, "mitigation": mitigation, "task": "none"})
    reference = run(given_, engine="simpy")
    for engine in NAMES:  # of which the compiled one takes every pass compiled
        found = run(given_, engine=engine)
        assert found.header == reference.header
        for name in COLUMNS:
            one, other = getattr(found, name), getattr(reference, name)
            assert one.dtype == other.dtype, name
            assert one.tobytes() == other.tobytes(), name


@st.composite
def crews(draw):
    """Workers that wait for each other by one of the rules, some slower than others."""
    shape, count = draw(shapes(3, 8, (1, 2, 3))), draw(st.integers(2, 3))
    slowdown = st.lists(st.sampled_from([1.0, 1.3, 3.0]), min_size=count, max_size=count)
    rule = draw(st.sampled_from([
        "all-reduce", {"name": "wave", "distance": 0}, {"name": "wave", "distance": 1},
        {"name": "block-momentum", "block": 2}]))
    return {"schedule": draw(names), "stages": shape.stages,
            "minibatches": shape.minibatches * count, "microbatches": shape.microbatches,
            "count": count, "combine": rule, "slowdown": draw(slowdown),
            "sync_latency_s": draw(st.sampled_from([0.0, 0.7])),
            "sync_bandwidth_bytes_per_s": draw(st.sampled_from([None, 1000.0])),
            "task": "digits-mlp", "width": 4, "batch_size": 12, **draw(timings(shape.stages)),
            **draw(unlike(shape))}


@settings(deadline=None, max_examples=60)
@given(crews())
def test_all_engines_agree_on_workers_that_wait_for_each_other(keys):
    given_ = experiment(**keys)
    try:
        reference = run(given_, training=False, engine="simpy")
    except InvalidProgramError:  # the order cannot wait for the exchange: no engine is asked
        assume(False)
    with mock.patch.object(exact, "simulate", side_effect=AssertionError("left to SimPy")):
        for engine in NAMES:
            found = run(given_, training=False, engine=engine)
            for name in COLUMNS:
                assert getattr(found, name).tobytes() == getattr(reference, name).tobytes(), name


@settings(deadline=None, max_examples=30)
@given(cases())
def test_all_engines_agree_on_lowered_programs(keys):
    program = schedule_program(keys["schedule"], keys["stages"], keys["minibatches"],
                               keys["microbatches"]).lower()
    reference = times("simpy", program, **keys)
    for engine in NAMES:
        assert_equal(times(engine, program, **keys), reference)


@st.composite
def chunked(draw):
    """A program with two stages a device, its streams merged in an order that can be executed."""
    from sim.order.check import execution_order

    devices, minibatches = draw(st.integers(1, 3)), draw(st.integers(1, 20))
    wide = SCHEDULES["round-robin"].program(PipelineShape(2 * devices, minibatches))
    order = np.array(execution_order(wide))
    streams = [[wide.instruction(row) for row in order[wide.rows.stage[order] % devices == d]]
               for d in range(devices)]
    shape = PipelineShape(2 * devices, minibatches, chunks=2)
    return Program.from_streams(shape, streams), draw(timings(2 * devices))


@settings(deadline=None, max_examples=30)
@given(chunked())
def test_all_engines_agree_with_several_stages_on_a_device(case):
    program, keys = case
    keys |= {"schedule": "file", "stages": program.shape.stages, "chunks": 2,
             "minibatches": program.shape.minibatches}
    reference = times("simpy", program, **keys)
    for engine in NAMES:
        assert_equal(times(engine, program, **keys), reference)


@pytest.mark.parametrize(("engine", "schedule"), table(NAMES, SCHEDULES.names()))
def test_long_runs_agree(engine, schedule):
    shape = fitted(schedule, PipelineShape(4, 400, 5))
    asked = {"schedule": schedule, "latency_s": 0.3, "update_s": 0.11,
             "forward_s": [(0.7, 1.0, 1.3, 0.9)[k % 4] for k in range(shape.stages)],
             **size_keys(shape)}
    assert_equal(times(engine, **asked), times("simpy", **asked))


@pytest.mark.parametrize(("schedule", "mitigation"), table(SCHEDULES.names(), MITIGATIONS.names()))
def test_traces_are_equal_files_whichever_engine(tmp_path, schedule, mitigation):
    shape = fitted(schedule, PipelineShape(3, 9, 4))
    if not accepted(schedule, mitigation, shape.stages, shape.microbatches, shape.chunks):
        pytest.skip("this pair is refused")
    given_ = experiment(schedule=schedule, mitigation=mitigation, task="none", latency_s=0.2,
                        jitter={"sigma": 0.2}, **size_keys(shape))
    for engine in ("simpy", *NAMES):
        run(given_, engine=engine).save(tmp_path / f"{engine}.npz")
    first, *others = ((tmp_path / f"{engine}.npz").read_bytes() for engine in ("simpy", *NAMES))
    assert all(each == first for each in others)
