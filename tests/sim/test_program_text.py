"""A program's text form: the inverse of `str`, and what is refused."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.errors import InvalidProgramError
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from tests.sim.strategies import names, shapes

HEADER = "# pipestale program: stages={} minibatches={} microbatches={} chunks={}\n"
TWO_STAGES = "0F0,0F1,0B0,0U0,0B1,0U1\n1F0,1B0,1U0,1F1,1B1,1U1\n"


@given(names, shapes())
def test_parse_is_the_inverse_of_str(name, shape):
    program = SCHEDULES[name].program(shape)
    assert Program.parse(str(program)) == program


@given(names, shapes())
def test_parse_is_the_inverse_of_str_for_lowered_programs(name, shape):
    program = SCHEDULES[name].program(shape).lower()
    again = Program.parse(str(program))
    assert again == program
    assert again.lowered == (shape.stages > 1)


@given(names, shapes())
def test_the_shape_is_read_off_the_instructions_where_no_comment_has_it(name, shape):
    program = SCHEDULES[name].program(shape)
    bare = "\n".join(str(program).splitlines()[1:])
    assert Program.parse(bare) == program


def test_the_text_is_a_line_per_device_under_one_comment():
    program = SCHEDULES["round-robin"].program(PipelineShape(2, 2))
    assert str(program) == HEADER.format(2, 2, 1, 1) + TWO_STAGES


def test_empty_cells_blank_lines_and_comments_are_skipped():
    text = "# of mine\n\n0F0,,0F1, 0B0 ,0U0,,0B1,0U1,\n\n,1F0,1B0,1U0,1F1,1B1,1U1\n# end\n"
    assert Program.parse(text) == Program.parse(TWO_STAGES)


def test_updates_are_put_after_the_last_backward_where_a_text_has_none():
    text = "0F0,0F1,0B0,0B1,0F2,0F3,0B3,0B2\n"
    program = Program.parse(text, PipelineShape(1, 2, 2))
    assert [str(each) for each in program.stream(0)] == [
        "0F0", "0F1", "0B0", "0B1", "0U0-1", "0F2", "0F3", "0B3", "0B2", "0U2-3"]


def test_without_updates_and_comment_a_text_is_one_minibatch():
    assert Program.parse("0F0,0F1,0B0,0B1\n").shape == PipelineShape(1, 1, 2)


def test_a_shape_given_beside_the_text_wins_over_the_comment():
    text = HEADER.format(1, 1, 2, 1) + "0F0,0B0,0F1,0B1\n"
    assert Program.parse(text).shape == PipelineShape(1, 1, 2)
    assert Program.parse(text, PipelineShape(1, 2)).shape == PipelineShape(1, 2)


@pytest.mark.parametrize(("text", "said"), [
    ("", "this text has none"),
    ("# only a comment\n", "this text has none"),
    (",,\n,\n", "this text has none"),
    ("0F0,nonsense\n", "line 1: 'nonsense' is not an instruction"),
    ("0F0,0B0\n0F1 0B1\n", "line 2: '0F1 0B1' is not an instruction"),
    ("0F0,0B0-0\n", "line 1: '0B0-0': a range runs upwards"),
    ("0F0,0F1,0B0,0U0,0B1,0U0-1\n", "differ in size"),
    ("# pipestale program: stages=0 minibatches=1\n0F0\n", "line 1: stages is at least 1, got 0"),
    ("# pipestale program: stages=2\n0F0\n", "line 1"),
    ("# pipestale program: stages=3 minibatches=1 chunks=2\n0F0\n", "chunks divides stages"),
    ("# pipestale program: storeys=3\n0F0\n", "line 1: number of a shape 'storeys' is unknown"),
    ("# pipestale program: stages=1 minibatches=1 rank=1\n0F0\n", "did you mean ranks?"),
])
def test_what_is_no_program_is_refused_with_its_line(text, said):
    with pytest.raises(InvalidProgramError) as caught:
        Program.parse(text)
    assert said in str(caught.value)


cells = st.text(alphabet="012FBUI-W", max_size=4)


@given(st.lists(st.lists(cells, max_size=6).map(",".join), max_size=3).map("\n".join))
def test_any_text_is_a_program_or_an_invalid_one(text):
    try:
        program = Program.parse(text)
    except InvalidProgramError:
        return
    assert Program.parse(str(program)) == program


@given(names, shapes(3, 3, (1, 2)), st.data())
def test_a_text_with_one_character_changed_is_a_program_or_an_invalid_one(name, shape, data):
    text = str(SCHEDULES[name].program(shape))
    place = data.draw(st.integers(text.index("\n") + 1, len(text) - 1))
    changed = text[:place] + data.draw(st.sampled_from("0129FBU,-\n")) + text[place + 1 :]
    try:
        program = Program.parse(changed)
    except InvalidProgramError:
        return
    assert Program.parse(str(program)) == program


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
from sim.order.program import Program
from sim.order.check import InvalidProgramError
try:
    Program.parse(sys.argv[1])
except InvalidProgramError as error:
    print("refused:", str(error)[:60])
"""


@pytest.mark.parametrize("text", [
    "0F99999999999\n",
    "0F99999999999999999999\n",
    "99999999999F0\n",
    "0F0,0B99999999999\n",
    HEADER.format(1, 1, "9" * 30, 1) + "0F0,0B0\n",
    "0F" + "9" * 5000 + "\n",
    HEADER.format(1, 99999999999, 1, 1) + "0F0\n",
    HEADER.format(99999999999, 1, 1, 1) + "0F0\n",
])
def test_a_mistyped_large_number_is_refused_before_it_fills_the_memory(text):
    done = subprocess.run([sys.executable, "-c", LIMITED, text], capture_output=True, text=True,
                          check=False)
    assert done.stdout.startswith("refused:"), done.stderr[-500:]


@pytest.mark.parametrize("text", ["0F0,0U0,999999999B0\n", "0F0,0B0\n0F0,1B999999999,1U0\n",
                                  "# pipestale program: stages=1 minibatches=1 microbatches=1\n"
                                  "0F0,0B0,0B999999999\n"])
def test_a_huge_number_is_refused_without_filling_the_memory(text):
    with pytest.raises(InvalidProgramError):
        Program.parse(text)
