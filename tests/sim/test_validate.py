"""Incomplete programs and orders that cannot run: the rule, and the table with the cell marked."""

import pytest

from sim.errors import InvalidProgramError
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES

GOOD = ["0F0,0F1,0B0,0U0,0B1,0U1", "1F0,1B0,1U0,1F1,1B1,1U1"]
PAIR = PipelineShape(2, 2)
CUT = PipelineShape(1, 2, 2)


def refusal(*lines: str, shape: PipelineShape = PAIR) -> InvalidProgramError:
    with pytest.raises(InvalidProgramError) as caught:
        Program.parse("\n".join(lines), shape)
    return caught.value


def marked(error: InvalidProgramError) -> list[str]:
    """The marked cells of the table, one or more."""
    return [word for word in error.table.split() if word.startswith(">")]


def test_the_good_program_is_accepted():
    assert Program.parse("\n".join(GOOD), PAIR).validate().devices == 2


@pytest.mark.parametrize(("line", "stage"), [(0, 0), (1, 1)])
@pytest.mark.parametrize(("cell", "operation"), [("F1", "F"), ("B0", "B/I"), ("U1", "U")])
def test_a_missing_instruction_is_named(line, stage, cell, operation):
    lines = list(GOOD)
    lines[line] = ",".join(c for c in lines[line].split(",") if c != f"{stage}{cell}")
    error = refusal(*lines)
    assert f"each stage does {operation} of every micro-batch" in error.rule
    assert f"stage {stage} never does {stage}{cell}" in error.rule


@pytest.mark.parametrize("cell", ["0F0", "0B1", "0U0"])
def test_a_repetition_is_marked(cell):
    error = refusal(GOOD[0] + f",{cell}", GOOD[1])
    assert f"{cell} is a repetition" in error.rule
    assert marked(error) == [f">{cell}<"]


@pytest.mark.parametrize(("rest", "rule"), [
    ("0I0", "once"), ("0I0,0W0", "once"),
    ("0W0", "B is the input half of a backward (a whole one is BW), but one has no W"),
])
def test_half_a_backward_beside_a_whole_one_is_refused(rest, rule):
    error = refusal(GOOD[0] + f",{rest}", GOOD[1])
    assert rule in error.rule
    assert len(marked(error)) == 1


@pytest.mark.parametrize(("cell", "rule"), [
    ("2F0", "stages are 0…1"),
    ("0F2", "micro-batches are 0…1"),
    ("0B0-1", "an instruction stays within one mini-batch of 1"),
])
def test_what_is_out_of_range_is_marked(cell, rule):
    error = refusal(f"0F0,{cell}," + GOOD[0], GOOD[1])
    assert error.rule.startswith(rule)
    assert marked(error) == [f">{cell}<"]


def test_an_instruction_across_minibatches_is_marked():
    error = refusal("0F0,0F1,0B0,0F2,0F3,0B1-2,0B3", shape=CUT)
    assert "within one mini-batch of 2" in error.rule
    assert marked(error) == [">0B1-2<"]


def test_a_forward_of_several_micro_batches_is_marked():
    error = refusal("0F0-1,0B0-1,0F2,0F3,0B2-3", shape=CUT)
    assert "a forward covers one micro-batch" in error.rule
    assert marked(error) == [">0F0-1<"]


def test_an_update_of_half_a_minibatch_is_marked():
    error = refusal("0F0,0F1,0B0-1,0U0,0F2,0F3,0B2-3,0U2-3", shape=CUT)
    assert "an update covers its whole mini-batch of 2 micro-batches" in error.rule
    assert marked(error) == [">0U0<"]


def test_a_stage_on_two_devices_is_refused():
    error = refusal("0F0,0B0,0U0,0F1", "0B1,0U1,1F0,1B0,1U0,1F1,1B1,1U1")
    assert "a stage lives on one device" in error.rule
    assert len(marked(error)) == 1


def test_backwards_cut_differently_on_two_stages_are_refused():
    error = refusal("0F0,0F1,0B0,0B1", "1F0,1F1,1B0-1", shape=PipelineShape(2, 1, 2))
    assert "cover the same micro-batches in one backward" in error.rule
    assert len(marked(error)) == 1


def test_the_table_shows_every_device_and_the_steps_around_the_mark():
    program = SCHEDULES["round-robin"].program(PipelineShape(2, 30))
    lines = str(program).splitlines()[1:]
    error = refusal(lines[0].replace("0B20,", "0B20,0B20,", 1), lines[1],
                    shape=PipelineShape(2, 30))
    rows = error.table.splitlines()
    assert [row.split()[:2] for row in rows] == [["device", "0"], ["device", "1"]]
    assert marked(error) == [">0B20<"]
    assert "0F0" not in error.table.split()
