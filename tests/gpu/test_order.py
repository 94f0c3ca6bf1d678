"""Issue order on both ends of every link: the form we run is free of cycles, the naive ones not."""

from dataclasses import replace

import numpy as np
import pytest

from gpu.distributed.order import Channel, channels, check_links, issue_order
from sim.errors import InvalidProgramError
from sim.order.columns import Instructions
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from tests.sim.fitting import fitted

ASYNC = SCHEDULES["round-robin"].program(PipelineShape(2, 4)).lower()


def described(order, program):
    return [f"{action.kind} {program.instruction(action.message)}" for action in order]


@pytest.mark.parametrize("name", SCHEDULES.names())
@pytest.mark.parametrize("shape", [PipelineShape(2, 4), PipelineShape(4, 3, 4)])
def test_one_communicator_per_direction_never_blocks(name, shape):
    program = SCHEDULES[name].program(fitted(name, shape)).lower()
    for ahead in (0, 1):
        check_links(program, ahead=ahead)


@pytest.mark.parametrize("ahead", [0, 1])
def test_one_communicator_for_both_directions_blocks(ahead):
    with pytest.raises(InvalidProgramError, match=r"wait for each other on one communicator: .*->"):
        check_links(ASYNC, per_direction=False, ahead=ahead)


def test_early_receives_are_what_blocks_an_order_that_is_fine_without():
    sequential = SCHEDULES["sequential"].program(PipelineShape(2, 3)).lower()
    check_links(sequential, per_direction=False, ahead=0)
    with pytest.raises(InvalidProgramError):
        check_links(sequential, per_direction=False, ahead=1)


def test_at_most_one_receive_is_posted_ahead():
    assert described(issue_order(ASYNC)[1], ASYNC)[:5] == [
        "post 1RECV_F0", "wait 1RECV_F0", "post 1RECV_F1", "send 0RECV_B0", "wait 1RECV_F1"]
    for order in issue_order(ASYNC):
        open_posts = np.cumsum([(a.kind == "post") - (a.kind == "wait") * 1 for a in order])
        assert open_posts.max() <= 1


def test_every_message_has_both_its_ends_once():
    orders = [action for order in issue_order(ASYNC) for action in order]
    messages = sorted(row for rows in channels(ASYNC).values() for row in rows)
    for kind in ("send", "post", "wait"):
        assert sorted(a.message for a in orders if a.kind == kind) == messages
    assert list(channels(ASYNC)) == [Channel(0, 1, False), Channel(1, 0, True)]


def test_ends_that_disagree_about_the_order_are_refused():
    text = str(SCHEDULES["gpipe"].program(PipelineShape(2, 1, 2)).lower())
    swapped = text.replace("1RECV_F0,1F0,1RECV_F1,1F1", "1RECV_F1,1F1,1RECV_F0,1F0")
    assert swapped != text
    with pytest.raises(InvalidProgramError, match="receives 1RECV_F1 before 1RECV_F0"):
        channels(Program.parse(swapped))


def test_program_is_left_as_it_was():
    before = replace(ASYNC, rows=Instructions(*(c.copy() for c in ASYNC.rows)))
    check_links(ASYNC)
    assert before == ASYNC
