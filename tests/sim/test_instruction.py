"""The text form of an instruction and its exact inverse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.op import Op
from sim.order.instruction import Instruction
from tests.sim.strategies import instructions

MALFORMED = ["", "2F", "F0", "2X0", "2f0", "-1F0", "2F-1", "2F0-", "2F0 1", "2 F0", "2FF0", "2F0.5",
             "2F0,", "SEND_F0", "2SEND0", "2F1-0", "2F3-3", "0x2F0", "2F0-1-2", "2RECV_U0"]


@given(instructions)
def test_parse_is_the_inverse_of_str(instruction):
    assert Instruction.parse(str(instruction)) == instruction


@given(instructions, instructions)
def test_different_instructions_have_different_texts(one, other):
    assert (str(one) == str(other)) == (one == other)


@pytest.mark.parametrize(("instruction", "text"), [
    (Instruction(2, Op.F, 0), "2F0"),
    (Instruction(0, Op.B, 4, 4), "0B4-7"),
    (Instruction(1, Op.SEND_F, 3), "1SEND_F3"),
    (Instruction(10, Op.RECV_B, 12, 2), "10RECV_B12-13"),
    (Instruction(0, Op.I, 1), "0I1"),
    (Instruction(3, Op.W, 1), "3W1"),
    (Instruction(0, Op.U, 0, 2), "0U0-1"),
])
def test_the_text_is_stage_operation_and_micro_batches(instruction, text):
    assert str(instruction) == text
    assert Instruction.parse(text) == instruction


@pytest.mark.parametrize("text", MALFORMED)
def test_malformed_text_is_refused_and_quoted(text):
    with pytest.raises(ValueError, match=r"is not an instruction|a range runs upwards") as caught:
        Instruction.parse(text)
    assert repr(text) in str(caught.value)


@given(st.text(alphabet="0129FBIWUSENDRCV_- ,x", max_size=12))
def test_any_text_is_an_instruction_or_a_value_error(text):
    try:
        instruction = Instruction.parse(text)
    except ValueError:
        return
    assert Instruction.parse(str(instruction)) == instruction


@pytest.mark.parametrize("text", ["٢F0", "2F०", "２F0"])
def test_digits_of_other_scripts_are_refused(text):
    with pytest.raises(ValueError, match="is not an instruction"):
        Instruction.parse(text)


@pytest.mark.parametrize(("stage", "index", "count"), [(-1, 0, 1), (0, -1, 1), (0, 0, 0)])
def test_numbers_out_of_range_are_refused_at_construction(stage, index, count):
    with pytest.raises(ValueError, match="stage and index start at 0 and count at 1"):
        Instruction(stage, Op.F, index, count)
