"""Orders that cannot run: every waiting head is listed and marked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.errors import InvalidProgramError
from sim.order.check import _by_arrivals, _by_counting, _needed, execution_order
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from tests.sim.strategies import names, shapes

PAIR = PipelineShape(2, 2)


def marked(error: InvalidProgramError) -> list[str]:
    """The marked cells of the table."""
    return [word for word in error.table.split() if word.startswith(">")]


def deadlock(*lines: str, shape: PipelineShape = PAIR) -> InvalidProgramError:
    program = Program.parse("\n".join(lines), shape)
    with pytest.raises(InvalidProgramError) as caught:
        program.validate()
    return caught.value


def test_a_deadlocking_order_lists_every_waiting_head():
    error = deadlock("0F0,0B0,0U0,0F1,0B1,0U1", "1F1,1B1,1U1,1F0,1B0,1U0")
    assert "the order cannot be executed" in error.rule
    assert "device 0 at 0B0 waits for 1B0" in error.rule
    assert "device 1 at 1F1 waits for 0F1" in error.rule
    assert sorted(marked(error)) == [">0B0<", ">1F1<"]


def test_a_backward_before_its_forward_cannot_be_executed():
    error = deadlock("0B0,0F0,0U0", shape=PipelineShape(1, 1))
    assert "device 0 at 0B0 waits for 0F0" in error.rule


def test_an_update_before_its_backward_cannot_be_executed():
    error = deadlock("0F0,0F1,0B0,0U0-1,0B1", shape=PipelineShape(1, 1, 2))
    assert "device 0 at 0U0-1 waits for 0B1" in error.rule


def test_a_weight_half_before_its_input_half_cannot_be_executed():
    error = deadlock("0F0,0W0,0I0,0U0", shape=PipelineShape(1, 1))
    assert "device 0 at 0W0 waits for 0I0" in error.rule


def test_an_update_waits_for_the_weight_halves():
    error = deadlock("0F0,0I0,0U0,0W0", shape=PipelineShape(1, 1))
    assert "device 0 at 0U0 waits for 0W0" in error.rule


def test_a_stream_that_is_done_is_not_listed():
    error = deadlock("0F0,0F1,0B0,0U0,0B1,0U1", "1F0,1B0,1U0,1B1,1F1,1U1")
    assert "device 1 at 1B1 waits for 1F1" in error.rule
    assert "device 0 at 0B1 waits for 1B1" in error.rule


@given(names, shapes(4, 4, (1, 2)))
def test_an_execution_order_respects_streams_and_dependencies(name, shape):
    program = SCHEDULES[name].program(shape)
    place = {row: number for number, row in enumerate(execution_order(program))}
    assert sorted(place) == list(range(len(program)))
    for device in range(program.devices):
        rows = range(*program.offsets[device : device + 2])
        assert all(place[a] < place[a + 1] for a in rows[:-1])
    row_of = {str(program.instruction(row)): row for row in place}
    for row in place:
        one = program.instruction(row)
        if one.op.name == "F" and one.stage:
            assert place[row_of[f"{one.stage - 1}F{one.index}"]] < place[row]
        if one.op.name == "B" and one.stage + 1 < shape.stages:
            after = str(one).replace(f"{one.stage}B", f"{one.stage + 1}B", 1)
            assert place[row_of[after]] < place[row]


@given(names, shapes(4, 3, (1, 2)), st.data())
def test_two_passes_of_one_stream_swapped_are_a_program_or_an_invalid_order(name, shape, data):
    lines = [line.split(",") for line in
             str(SCHEDULES[name].program(shape)).splitlines()[1:]]
    line = data.draw(st.sampled_from(lines))
    a, b = (data.draw(st.integers(0, len(line) - 1)) for _ in range(2))
    line[a], line[b] = line[b], line[a]
    program = Program.parse("\n".join(map(",".join, lines)), shape)
    try:
        assert len(execution_order(program)) == len(program)
    except InvalidProgramError as caught:
        error = caught
    else:
        return
    assert marked(error)


@given(names, shapes(5, 5), st.booleans())
def test_both_ways_to_an_order_find_one_of_every_row(name, shape, lowered):
    """Waiting for messages alone, and counting every dependency; messages are posted ahead."""
    program = SCHEDULES[name].program(shape)
    program = program.lower() if lowered else program
    before, after = _needed(program)
    for order in (_by_arrivals(program, before, after), _by_counting(program, before, after)):
        place = np.argsort(order)
        assert sorted(order) == list(range(len(program)))
        assert np.all(place[before] < place[after])
        assert np.all(np.diff(place)[np.diff(program.device) == 0] > 0)
