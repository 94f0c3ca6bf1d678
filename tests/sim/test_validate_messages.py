"""A lowered program sends and receives each message once, cut like its pass."""

import pytest

from sim.errors import InvalidProgramError
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES

LOWERED = str(SCHEDULES["round-robin"].program(PipelineShape(2, 2)).lower())


@pytest.mark.parametrize("cell", ["0SEND_F0,", "1RECV_F0,", "1SEND_B1,", "0RECV_B1,"])
def test_a_lowered_program_without_one_end_of_a_message_is_refused(cell):
    assert cell in LOWERED
    with pytest.raises(InvalidProgramError, match=r"SEND|RECV"):
        Program.parse(LOWERED.replace(cell, "", 1)).validate()


@pytest.mark.parametrize("cell", ["0SEND_F0,", "1RECV_F0,", "1SEND_B1,", "0RECV_B1,"])
def test_a_lowered_program_with_one_end_of_a_message_twice_is_refused(cell):
    with pytest.raises(InvalidProgramError, match="repetition"):
        Program.parse(LOWERED.replace(cell, cell * 2, 1)).validate()


def test_a_message_cut_otherwise_than_its_pass_is_refused():
    lowered = str(SCHEDULES["nf1b"].program(PipelineShape(2, 1, 2)).lower())
    cut = lowered.replace("1SEND_B0-1", "1SEND_B0,1SEND_B1")
    assert cut != lowered
    with pytest.raises(InvalidProgramError, match=r"SEND_B"):
        Program.parse(cut).validate()
