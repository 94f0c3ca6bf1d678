"""The forms a program's text is read in, told apart by what is there; mixtures are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.errors import InvalidProgramError
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.order.text.reading import read
from sim.order.torch_csv.reading import is_torch_csv, parse
from sim.schedules import SCHEDULES
from tests.sim.strategies import placed

PLAIN = "0F0,0F1,0B0,0B1\n1F0,1B0,1F1,1B1\n"
HALVED = "0F0,0F1,0I0,0W0,0I1,0W1\n1F0,1I0,1W0,1F1,1I1,1W1\n"
OLDER = "0F0,0F1,0B0,0W0,0B1,0W1\n1F0,1BW0,1F1,1BW1\n"


def refusal(text: str) -> InvalidProgramError:
    with pytest.raises(InvalidProgramError) as caught:
        parse(text)
    return caught.value


@pytest.mark.parametrize(("text", "note"), [
    ("\ufeff" + PLAIN, "a byte order mark passed over"),
    (PLAIN.replace(",", ";"), "cells separated by semicolons"),
    (PLAIN.replace(",", "\t"), "cells separated by tabs"),
    (PLAIN.replace(",", "   "), "cells separated by blanks"),
    (PLAIN.replace(",", " , "), None), (PLAIN.replace("\n", ",,\r\n"), None),
    ('"' + PLAIN.strip().replace(",", '","').replace("\n", '"\n"') + '"', "quotes taken off"),
    ("'" + PLAIN.strip().replace(",", "','").replace("\n", "'\n'") + "'", "quotes taken off"),
    (PLAIN.replace("0B0", "None,0B0"), "cells that say None passed over"),
    (PLAIN.replace("0B0", ",,0B0"), None), ("# mine\n" + PLAIN + "\n\n", None),
    ('"# mine",,\n' + PLAIN, None),
])
def test_what_a_spreadsheet_makes_of_a_file_is_read(text, note):
    assert parse(text) == parse(PLAIN)
    found = read(text)
    assert found.form == "PyTorch's CSV"
    assert list(found.notes) == ([note] if note else [])
    assert is_torch_csv(text)


@given(placed())
def test_our_text_is_read_however_its_cells_are_separated(case):
    schedule, shape = case
    program = schedule.program(shape)
    head, *lines = str(program).splitlines()
    for separator in ";\t ":
        moved = [line.replace(",", separator) for line in lines]
        assert Program.parse("\n".join([head, *moved])) == program
    assert read(str(program)).form == "the text form"


def test_a_semicolon_inside_a_pair_separates_nothing():
    text = "0F0;0F1;(0F2;0B0);0B1;0B2\n"
    assert str(parse(text)).splitlines()[1] == "0F0,0F1,(0F2;0B0),0B1,0B2,0U0-2"
    assert parse(text.replace("(0F2;0B0)", '"(0F2;0B0)OVERLAP_F_B"')) == parse(text)
    assert parse(text.replace(";", ",").replace("(0F2,0B0)", "(0F2;0B0)")) == parse(text)


def test_halves_that_older_files_call_b_are_input_halves():
    found = read(OLDER)
    assert (found.form, found.notes) == (
        "an older CSV", ("B read as the input half I, as W has the other",))
    assert str(parse(OLDER)).splitlines()[1:] == [
        "0F0,0F1,0I0,0W0,0I1,0W1,0U0-1", "1F0,1B0,1F1,1B1,1U0-1"]
    assert parse(HALVED.replace("I", "B")) == parse(HALVED)
    assert read(HALVED).form == "PyTorch's CSV"


def test_whole_backwards_of_older_files_are_bw():
    text = PLAIN.replace("B", "BW")
    assert (read(text).form, read(text).notes) == ("an older CSV", ())
    assert parse(text) == parse(PLAIN)


@pytest.mark.parametrize(("text", "said", "cell"), [
    (OLDER.replace(",0W1", ""), "a whole one is BW), but one has no W: 0B1", ">0B1<"),
    (OLDER.replace("0B0,0W0", "0I0,0W0"), "this file has both: 1BW0", ">1BW0<"),
    (PLAIN.replace("0B1", "0B1,0U0-1").replace("1B1", "1B1,1REDUCE_GRAD"),
     "an update is 0U0-1 in the text form and 0REDUCE_GRAD in PyTorch's CSV; this file has both",
     ">0U0-1<"),
    ("0Fd0,0F1,0Bd0,0B1\n", "either every pass and message says d (down) or u (up)", ">0F1<"),
    (HALVED.replace("0I1,0W1", "0B1,0W1"), "each stage does B/W of a micro-batch once: 0W1",
     ">0W1<"),
    ("0F0,0B0;0F1,0B1\n", "'0B0;0F1' is not an instruction", ""),
    ("(0F0;0F1;0B0)\n", "is not a pair", ""), ("(0F0,0B0\n", "is not a pair", ""),
    ("0F0,(0F1;0F0),0B0,0B1\n", "0F of a micro-batch once".replace("0F", "F"), ""),
    ("0F0,(0F1;0W0),0I0,0B1\n", "a pair is one forward and one backward", ">0F1<"),
    ("0F0,(0F1;0B1),0B0\n", "a pair is one forward and one backward", ">0F1<"),
])
def test_a_mixture_or_a_slip_is_told_with_its_cell(text, said, cell):
    error = refusal(text)
    assert said in error.rule
    assert cell in error.table


def test_two_directions_are_numbered_one_after_the_other():
    text = "0Fd0 1Fu0 1Bu0 0Bd0\n0Fu0 1Fd0 1Bd0 0Bu0\n"
    found = read(text)
    assert (found.form, found.notes) == ("a program of two directions", (
        "cells separated by blanks", "up micro-batches numbered from 1"))
    assert str(parse(text)).splitlines()[1:] == [
        "0F0,1F1,1B1,0B0,1U0-1,0U0-1", "0F1,1F0,1B0,0B1,1U0-1,0U0-1"]


@pytest.mark.parametrize(("text", "shape"), [
    (PLAIN, PipelineShape(2, 1, 2)),
    ("0F0,2F0,2B0,0B0\n1F0,1B0\n", PipelineShape(3, 1, ranks=2)),
    ("0F0,1F0,1B0,0B0\n2F0,2B0,3F0,3B0\n".replace("3F0,3B0,", "").replace("2B0,3F0,3B0",
     "3F0,3B0,2B0"), PipelineShape(4, 1, chunks=2)),
    ("0F0,1F0,2F0,2B0,1B0,0B0\n3F0,3B0\n", PipelineShape(4, 1, ranks=2)),
    ("0F0,0B0,0U0,0F1,0B1,0U1\n", PipelineShape(1, 2)),
    ("0F0,0F1,0B0,0B1,0U0-1,0F2,0B2,0U2\n", PipelineShape(1, 2, 2, last_microbatches=1)),
    ("# pipestale program: stages=2 minibatches=2\n0F0,0B0,0U0\n0F1,0B1,0U1\n"
     "1F0,1B0,1U0,1F1,1B1,1U1\n", PipelineShape(2, 2, ranks=3)),
    ("# pipestale program: stages=2 minibatches=2 replicas=2,1\n0F0,0B0,0U0\n0F1,0B1,0U1\n"
     "1F0,1B0,1U0,1F1,1B1,1U1\n", PipelineShape(2, 2, replicas=(2, 1))),
])
def test_the_shape_is_that_of_the_cells_or_the_comments(text, shape):
    program = parse(text)
    assert program.shape == shape
    assert parse(str(program)) == program


def test_every_flushed_schedule_is_a_program_in_two_forms():
    program = SCHEDULES["dualpipev"].program(PipelineShape(8, 1, 8, 2))
    assert len(program.pairs)
    assert Program.parse(str(program)) == program


noise = st.text(alphabet="0123FBIWUdu();,\t \"'\ufeffNone#-\n", max_size=40)


@given(noise)
def test_any_text_at_all_is_a_program_or_a_mistake(text):
    try:
        program = Program.parse(text)
    except InvalidProgramError:
        return
    assert Program.parse(str(program)) == program
