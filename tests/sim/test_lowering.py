"""Lowering puts a send after what leaves a device and a receive before what needs it."""

from hypothesis import given

from sim.op import Op
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.order.together import rows_of_pairs
from sim.schedules import SCHEDULES
from tests.sim.strategies import names, shapes


def test_the_lowered_text_of_two_stages():
    program = SCHEDULES["round-robin"].program(PipelineShape(2, 2)).lower()
    assert str(program).splitlines()[1:] == [
        "0F0,0SEND_F0,0F1,0SEND_F1,0RECV_B0,0B0,0U0,0RECV_B1,0B1,0U1",
        "1RECV_F0,1F0,1B0,1SEND_B0,1U0,1RECV_F1,1F1,1B1,1SEND_B1,1U1"]


def test_a_message_of_a_whole_minibatch_is_one():
    program = SCHEDULES["nf1b"].program(PipelineShape(2, 1, 2)).lower()
    assert str(program).splitlines()[1:] == [
        "0F0,0SEND_F0,0F1,0SEND_F1,0RECV_B0-1,0B0-1,0U0-1",
        "1RECV_F0,1F0,1RECV_F1,1F1,1B0-1,1SEND_B0-1,1U0-1"]


FORWARD, BACKWARD = (Op.SEND_F, Op.RECV_F), (Op.SEND_B, Op.RECV_B)


@given(names, shapes())
def test_only_messages_are_added_and_they_touch_what_they_serve(name, shape):
    """A pass, or the two of a pair between them."""
    program = SCHEDULES[name].program(shape)
    lowered = program.lower().validate()
    pairs = {lowered.instruction(first): lowered.instruction(second) for first, second in zip(
        *rows_of_pairs(lowered.tables, lowered.pairs), strict=True)}
    partner = {**pairs, **{second: first for first, second in pairs.items()}}
    for device in range(program.devices):
        stream = list(lowered.stream(device))
        assert [each for each in stream if each.op <= Op.U] == list(program.stream(device))
        for place, each in enumerate(stream):
            if each.op <= Op.U:
                continue
            way = -1 if each.op in (Op.SEND_F, Op.SEND_B) else 1
            nearest = place + way
            while stream[nearest].op > Op.U:
                nearest += way
            touched = stream[nearest]
            served = [touched, partner[touched]] if touched in partner else [touched]
            assert abs(nearest - place) <= len(served)
            assert [(other.stage, other.index, other.count) for other in served
                    if other.op in ((Op.F,) if each.op in FORWARD else (Op.B, Op.I))] == [
                        (each.stage, each.index, each.count)]


@given(names, shapes())
def test_every_boundary_carries_every_micro_batch_once_each_way(name, shape):
    program = SCHEDULES[name].program(shape).lower()
    sent = {op: [] for op in (*FORWARD, *BACKWARD)}
    for device in range(program.devices):
        for each in program.stream(device):
            if each.op in sent:
                sent[each.op] += [(each.stage, m)
                                  for m in range(each.index, each.index + each.count)]
    micros, stages = range(shape.total), shape.stages
    before_last = sorted((k, m) for k in range(stages - 1) for m in micros)
    after_first = sorted((k, m) for k in range(1, stages) for m in micros)
    assert sorted(sent[Op.SEND_F]) == sorted(sent[Op.RECV_B]) == before_last
    assert sorted(sent[Op.SEND_B]) == sorted(sent[Op.RECV_F]) == after_first


@given(names, shapes())
def test_lowering_twice_changes_nothing(name, shape):
    lowered = SCHEDULES[name].program(shape).lower()
    assert lowered.lower() == lowered


def test_stages_on_one_device_send_each_other_nothing():
    text = "0F0,1F0,1B0,1U0,0B0,0U0\n"
    program = Program.parse(text, PipelineShape(2, 1, chunks=2))
    assert program.lower() == program
