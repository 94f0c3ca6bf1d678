"""Passes in one go, plain and compiled, beside the NumPy passes: same bits, same refusals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from sim import kernels as passes
from sim.errors import InvalidProgramError
from sim.experiment import recording
from sim.experiment.run import run
from sim.mitigations import MITIGATIONS
from sim.op import Op
from sim.order import check as validate
from sim.order import messages, updates
from sim.order import program as programs
from sim.order.columns import Instructions
from sim.order.instruction import Instruction
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from sim.trace import COLUMNS
from sim.weights import versions
from tests.sim.experiments import experiment
from tests.sim.pairs import accepted
from tests.sim.strategies import timings

KINDS = ["plain", *(["compiled"] if passes.available() else [])]
USERS = (messages, passes, programs, recording, updates, validate, versions)
QUIET = settings(deadline=None, max_examples=60,
                 suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


@contextmanager
def passing(kind: str) -> Iterator[mock.Mock]:
    """Every program goes through the passes; the mock is asked for each of them."""
    real = passes.compiled if kind == "compiled" else lambda function: function
    asked = mock.Mock(side_effect=real)
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(passes, "FEW", 0))
        stack.enter_context(mock.patch.object(passes, "loaded", return_value=True))
        for user in USERS:
            stack.enter_context(mock.patch.object(user, "compiled", asked))
        yield asked


@contextmanager
def not_passing() -> Iterator[None]:
    with mock.patch.object(passes, "FEW", 10**12):
        yield


def each_way(make):
    """What `make` gives by NumPy, and by the passes of every kind."""
    with not_passing():
        yield make()
    for kind in KINDS:
        with passing(kind):
            yield make()


@st.composite
def shaped(draw):
    """A schedule and a shape it accepts: chunks, workers and micro-batches among them."""
    schedule = SCHEDULES[draw(st.sampled_from(SCHEDULES.names()))]
    chunks = draw(st.integers(1, 3)) if schedule.chunks else 1
    workers = draw(st.integers(1, 3))
    shape = PipelineShape(chunks * draw(st.integers(1, 4)), workers * draw(st.integers(1, 5)),
                          draw(st.integers(1, 4)), chunks, workers)
    try:
        schedule.check(shape)
    except ValueError:
        assume(False)
    return schedule, shape


def halved(program: Program) -> Program:
    """Backwards in their two halves, the updates left to be put in."""
    streams = [[half for each in program.stream(d) if each.op is not Op.U
                for half in ([replace(each, op=Op.I), replace(each, op=Op.W)]
                             if each.op is Op.B else [each])] for d in range(program.devices)]
    return Program.from_streams(program.shape, streams)


def made(case, form: str) -> Program:
    schedule, shape = case
    program = schedule.program(shape)
    if form == "halved":
        return halved(program)
    return program.lower() if form == "lowered" else program


def told_by(program: Program):
    """Everything a pass says of a program, in one order."""
    yield from program.rows
    yield program.offsets
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
@given(shaped(), st.sampled_from(["as it is", "halved", "lowered"]))
def test_programs_their_tables_and_messages_are_equal(case, form):
    assume(form == "as it is" or case[1].workers == 1)
    reference, *others = each_way(lambda: [*told_by(made(case, form))])
    for other in others:
        for one, two in zip(reference, other, strict=True):
            assert np.array_equal(one, two)
            assert getattr(one, "dtype", None) == getattr(two, "dtype", None)


@pytest.mark.parametrize("kind", KINDS)
def test_the_passes_are_really_taken(kind):
    keys = {"stages": 3, "minibatches": 4, "task": "none", "mitigation": "i-timeprest",
            "boundary_bytes": 3.0, "bandwidth_bytes_per_s": 7.0}
    with passing(kind) as asked:
        program = SCHEDULES["round-robin"].program(PipelineShape(3, 4))
        assert program.plainly_complete
        run(experiment(**keys), program.lower())
    names = {call.args[0].__name__ for call in asked.call_args_list}
    assert names == {"with_updates", "bounded", "surveyed", "homes", "met", "arrivals", "newest",
                     "peaks", "read_by_row", "effective"}


@QUIET
@given(shaped(), st.sampled_from(MITIGATIONS.names()), st.data())
def test_traces_are_equal(case, mitigation, data):
    schedule, shape = case
    assume(accepted(schedule.name, mitigation, shape.stages, shape.microbatches))
    keys = data.draw(timings(shape.stages))
    document = {"schedule": schedule.name, "mitigation": mitigation, "task": "none",
                "stages": shape.stages, "minibatches": shape.minibatches // shape.workers,
                "microbatches": shape.microbatches, "chunks": shape.chunks, **keys}
    reference, *others = each_way(lambda: run(experiment(**document)))
    for other in others:
        assert other.header == reference.header
        for name in COLUMNS:
            one, two = getattr(reference, name), getattr(other, name)
            assert one.dtype == two.dtype, name
            assert np.array_equal(one, two, equal_nan=one.dtype.kind == "f"), name


def outcome(make) -> str | Program:
    try:
        return make()
    except InvalidProgramError as error:
        return str(error)


@QUIET
@given(shaped(), st.sampled_from(["as it is", "halved", "lowered"]), st.data())
def test_what_is_wrong_is_refused_in_the_same_words(case, form, data):
    assume(form == "as it is" or case[1].workers == 1)
    program = made(case, form)
    columns = [column.copy() for column in program.rows]
    for _ in range(data.draw(st.integers(1, 2))):
        column = columns[data.draw(st.integers(0, 3))]
        low = 1 if column is columns[3] else 0
        column[data.draw(st.integers(0, len(program) - 1))] = data.draw(
            st.integers(low, 8 if column is columns[0] else program.shape.total + 2))
    offsets = [*program.offsets]
    if data.draw(st.booleans()) and len(offsets) > 2:
        offsets[1] += data.draw(st.integers(-1, 1))
    reference, *others = each_way(lambda: outcome(lambda: Program(
        program.shape, Instructions(*(c.copy() for c in columns)), tuple(offsets))))
    assert all(other == reference for other in others)


@QUIET
@given(st.data())
def test_updates_are_put_in_alike_whatever_the_streams_say(data):
    shape = PipelineShape(2, data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3)))
    few = st.builds(Instruction, st.integers(0, 2), st.sampled_from([Op.F, Op.B, Op.W, Op.U]),
                    st.integers(0, shape.total), st.integers(1, 3))
    streams = data.draw(st.lists(st.lists(few, max_size=12), min_size=1, max_size=3))
    reference, *others = each_way(lambda: outcome(lambda: Program.from_streams(shape, streams)))
    assert all(other == reference for other in others)


@QUIET
@given(shaped())
def test_streams_that_have_their_updates_get_no_more(case):
    program = made(case, "as it is")
    for again in each_way(lambda: Program.from_streams(
            program.shape, [[*program.stream(d)] for d in range(program.devices)])):
        assert again == program


def test_a_worker_with_the_mini_batches_of_another_is_refused():
    program = SCHEDULES["gpipe"].program(PipelineShape(2, 4, 2, 1, 2))
    half = len(program) // 2
    rows = Instructions(*(np.concatenate((c[half:], c[:half])) for c in program.rows))
    found = [*each_way(lambda: outcome(lambda: Program(program.shape, rows, program.offsets)))]
    assert len({*found}) == 1
    assert "take mini-batches in turn" in found[0]


def test_a_shape_far_larger_than_its_program_is_refused_before_it_takes_memory():
    small, large = SCHEDULES["gpipe"].program(PipelineShape(2, 4)), PipelineShape(2, 10**10)
    streams = [[each for each in small.stream(d) if each.op is not Op.U] for d in range(2)]
    for make in (lambda: Program(large, small.rows, small.offsets),
                 lambda: Program.from_streams(large, streams)):
        found = [*each_way(lambda make=make: outcome(make))]
        assert len({*found}) == 1
        assert "need more than" in found[0]


@QUIET
@given(shaped(), st.integers(0, 2**32 - 1))
def test_any_versions_read_are_held_and_recorded_alike(case, seed):
    schedule, shape = case
    own, rng = shape.of_worker, np.random.default_rng(seed)
    shares = rng.random((2, own.stages, own.total))

    def said():
        plan = versions.VersionPlan.of(schedule.program(own), MITIGATIONS["none"]())
        reads = [(share * (newest + 1)).astype(np.int32) for share, newest in
                 zip(shares, (plan.forward_latest, plan.backward_latest), strict=True)]
        plan = replace(plan, forward=reads[0], backward=reads[1])
        return [plan.versions_held, *recording.version_columns(plan)]

    reference, *others = each_way(said)
    for other in others:
        for one, two in zip(reference, other, strict=True):
            assert np.array_equal(one, two)
