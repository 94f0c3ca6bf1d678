"""Programs, versions and traces by every make of the passes: same bits, same refusals."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sim.experiment.run import run
from sim.mitigations import MITIGATIONS
from sim.op import Op
from sim.order.columns import Instructions
from sim.order.instruction import Instruction
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from sim.times.engines import ENGINES, Engine
from sim.trace import COLUMNS
from tests.sim.every_make import MAKES, PAIRS, EveryMake
from tests.sim.experiments import experiment
from tests.sim.pairs import accepted
from tests.sim.strategies import made, placed, spoilt, timings
from tests.sim.test_kernels import FORMS, QUIET, outcome


def each_way(make):
    """What `make` gives with kernels of each make, NumPy's first."""
    return [make(kernels) for kernels in MAKES.values()]


def told_by(program: Program):
    """Everything a pass says of a program, in one order."""
    yield from program.rows
    yield program.offsets
    yield program.device
    for op in sorted(program.present):
        yield program.row_of(Op(op))
    yield from program.dependencies
    yield program.messages.sources()
    yield program.messages.target
    yield program.messages.link
    yield program.messages.links
    yield program.sends
    yield program.home
    for op in Op:
        yield program.does(op)
    yield program.wide


@QUIET
@given(placed(), st.sampled_from(FORMS))
def test_programs_their_tables_and_messages_are_equal(case, form):
    assume(form == "as it is" or case[1].workers == 1)
    reference, *others = each_way(lambda kernels: [*told_by(made(case, form, kernels))])
    for other in others:
        for one, two in zip(reference, other, strict=True):
            assert np.array_equal(one, two)
            assert getattr(one, "dtype", None) == getattr(two, "dtype", None)


def engines(kernels):
    """The engines, of which `exact` goes through everything in this make."""
    return mock.patch.dict(ENGINES, {"exact": Engine("auto", kernels)})


def test_a_run_goes_through_every_pass_but_those_of_replicas():
    kernels = EveryMake()
    keys = {"stages": 3, "minibatches": 4, "task": "none", "mitigation": "i-timeprest",
            "boundary_bytes": 3.0, "bandwidth_bytes_per_s": 7.0}
    with engines(kernels):
        given_ = experiment(**keys)
        run(given_, engine="exact")
        run(given_, SCHEDULES["round-robin"].program(PipelineShape(3, 4)).lower(kernels),
            engine="exact")
    assert set(kernels.asked) == set(PAIRS) - {"LAY_OUT", "EXECUTE"}


@QUIET
@given(placed(), st.sampled_from(MITIGATIONS.names()), st.data())
def test_traces_are_equal(case, mitigation, data):
    schedule, shape = case
    assume(accepted(schedule.name, mitigation, shape.stages, shape.microbatches))
    keys = data.draw(timings(shape.stages))
    document = {"schedule": schedule.name, "mitigation": mitigation, "task": "none",
                "stages": shape.stages, "minibatches": shape.minibatches // shape.workers,
                "microbatches": shape.microbatches, "chunks": shape.chunks, **keys}

    def traced(kernels):
        with engines(kernels):
            return run(experiment(**document), engine="exact")

    reference, *others = each_way(traced)
    for other in others:
        assert other.header == reference.header
        for name in COLUMNS:
            one, two = getattr(reference, name), getattr(other, name)
            assert one.dtype == two.dtype, name
            assert np.array_equal(one, two, equal_nan=one.dtype.kind == "f"), name


@QUIET
@given(placed(), st.sampled_from(FORMS), st.data())
def test_what_is_wrong_is_refused_in_the_same_words(case, form, data):
    assume(form == "as it is" or case[1].workers == 1)
    program = made(case, form)
    rows = spoilt(program, data)
    offsets = [*program.offsets]
    if data.draw(st.booleans()) and len(offsets) > 2:
        offsets[1] += data.draw(st.integers(-1, 1))
    reference, *others = each_way(lambda kernels: outcome(lambda: Program.of(
        program.shape, Instructions(*(c.copy() for c in rows)), tuple(offsets), kernels)))
    assert all(other == reference for other in others)


@QUIET
@given(st.data())
def test_updates_are_put_in_alike_whatever_the_streams_say(data):
    shape = PipelineShape(2, data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3)))
    few = st.builds(Instruction, st.integers(0, 2), st.sampled_from([Op.F, Op.B, Op.W, Op.U]),
                    st.integers(0, shape.total), st.integers(1, 3))
    streams = data.draw(st.lists(st.lists(few, max_size=12), min_size=1, max_size=3))
    reference, *others = each_way(lambda kernels: outcome(
        lambda: Program.from_streams(shape, streams, kernels)))
    assert all(other == reference for other in others)


@QUIET
@given(placed())
def test_streams_that_have_their_updates_get_no_more(case):
    program = made(case, "as it is")
    assume(not len(program.pairs))  # which a stream of instructions does not tell
    for again in each_way(lambda kernels: Program.from_streams(
            program.shape, [[*program.stream(d)] for d in range(program.devices)], kernels)):
        assert again == program


def test_a_worker_with_the_mini_batches_of_another_is_refused():
    program = SCHEDULES["gpipe"].program(PipelineShape(2, 4, 2, 1, 2))
    half = len(program) // 2
    rows = Instructions(*(np.concatenate((c[half:], c[:half])) for c in program.rows))
    found = each_way(lambda kernels: outcome(
        lambda: Program.of(program.shape, rows, program.offsets, kernels)))
    assert len({*found}) == 1
    assert "take mini-batches in turn" in found[0]


def test_a_shape_far_larger_than_its_program_is_refused_before_it_takes_memory():
    small, large = SCHEDULES["gpipe"].program(PipelineShape(2, 4)), PipelineShape(2, 10**10)
    streams = [[each for each in small.stream(d) if each.op is not Op.U] for d in range(2)]
    for make in (lambda kernels: Program.of(large, small.rows, small.offsets, kernels),
                 lambda kernels: Program.from_streams(large, streams, kernels)):
        found = each_way(lambda kernels, make=make: outcome(lambda: make(kernels)))
        assert len({*found}) == 1
        assert "need more than" in found[0]


@pytest.mark.parametrize("kernels", MAKES.values(), ids=MAKES)
@pytest.mark.parametrize("broken", ["negative stage", "negative micro-batch"])
def test_negative_numbers_are_refused(kernels, broken):
    program = SCHEDULES["gpipe"].program(PipelineShape(2, 4))
    rows = Instructions(*(column.copy() for column in program.rows))
    (rows.stage if broken == "negative stage" else rows.index)[0] = -1
    with pytest.raises(ValueError, match="stage and index start at 0"):
        Program.of(program.shape, rows, program.offsets, kernels)


def test_columns_of_another_kind_become_narrow_ones():
    program = SCHEDULES["nf1b"].program(PipelineShape(2, 4, 2))
    rows = Instructions(*(column.astype(np.int64)[::1] for column in program.rows))
    for again in each_way(lambda kernels: Program.of(program.shape, rows, program.offsets,
                                                     kernels)):
        assert again == program
        assert again.rows.narrow
