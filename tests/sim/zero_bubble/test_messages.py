"""Pairs whose passes send and receive: the messages go around the pair, which stays one."""

import pytest

from sim.op import Op
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES


@pytest.mark.parametrize(("name", "shape"), [
    ("dualpipev", PipelineShape(4, 2, 4, 2)), ("dualpipev", PipelineShape(8, 1, 9, 2)),
    ("dualpipe", PipelineShape(4, 2, 8))])
def test_the_messages_of_a_pair_stand_around_it(name, shape):
    program = SCHEDULES[name].program(shape)
    lowered = program.lower().validate()
    assert len(lowered.pairs) == len(program.pairs) > 0
    for device in range(shape.worker_devices):
        stream = list(lowered.stream(device))
        assert [each for each in stream if each.op <= Op.U] == list(program.stream(device))
    assert int(lowered.sends.sum()) == int(program.sends.sum())


def test_a_pair_by_hand():
    """The last device of two: stage 3 waits for nothing of another, stages 0 and 3 send."""
    program = SCHEDULES["dualpipev"].program(PipelineShape(4, 1, 4, 2)).lower()
    cells = str(program).splitlines()[1]
    assert "3F1,(0F3;3B1),0SEND_F3,3SEND_B1,3RECV_F2,0RECV_B0,(3F2;0B0),3B2,3SEND_B2" in cells
