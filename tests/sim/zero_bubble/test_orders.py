"""Zero-bubble orders and DualPipe token by token, drawn, placed, and refused."""

import re

import pytest

from sim.op import Op
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from tests.sim.orders import golden, tokens
from tests.sim.zero_bubble.pictures import drawn, in_documentation
from tests.sim.zero_bubble.timed import CHUNKED, shape_of

GOLDEN = {"zb-h1": "zb-h1-4x8", "zb-h2": "zb-h2-4x8", "interleaved-zb": "izb-4x2x8",
          "zbv": "zbv-4x2x8", "v-half": "v-half-4x2x8", "v-min": "v-min-4x2x8",
          "dualpipev": "dualpipev-4x2x8", "dualpipe": "dualpipe-4x8"}
PICTURES = {"zb-h1": (3, 4), "zb-h2": (3, 5), "interleaved-zb": (2, 2), "zbv": (2, 3),
            "v-half": (2, 2), "v-min": (2, 3), "dualpipev": (2, 4), "dualpipe": (4, 8)}
EVERY = pytest.mark.parametrize("name", GOLDEN)
CHUNKS = {"interleaved-zb": 2}


@EVERY
def test_the_order_is_the_golden_one(name):
    shape = shape_of(name, 4, 8, CHUNKS.get(name, 1))
    assert tokens(name, shape, two_ways=name == "dualpipe") == golden(GOLDEN[name])


@EVERY
def test_the_picture_in_the_documentation_is_the_order_at_equal_slots(name):
    shape = shape_of(name, *PICTURES[name], CHUNKS.get(name, 1))
    assert in_documentation(name) == drawn(name, shape)


@EVERY
@pytest.mark.parametrize("devices", [2, 4])
def test_mini_batches_follow_each_other_and_can_be_executed(name, devices):
    """The last mini-batch smaller than the others, too."""
    n, last = 2 * devices + 2, 2 * devices
    one = SCHEDULES[name].program(shape_of(name, devices, n, CHUNKS.get(name, 1)))
    longer = shape_of(name, devices, n, CHUNKS.get(name, 1), 3)
    shape = PipelineShape(longer.stages, 3, n, longer.chunks, last_microbatches=last)
    several = SCHEDULES[name].program(longer).validate()
    uneven = SCHEDULES[name].program(shape).validate()
    for device in range(devices):
        first = [str(each) for each in one.stream(device)]
        stream = [str(each) for each in several.stream(device)]
        assert len(stream) == 3 * len(first)
        assert stream[:len(first)] == first
        assert [str(each) for each in uneven.stream(device)][:2 * len(first)] == \
            stream[:2 * len(first)]
    assert len(several.pairs) == 3 * len(one.pairs)
    assert uneven.shape.total == 2 * n + last


@EVERY
def test_stages_live_where_the_paper_puts_them(name):
    """In a V: on the way there, then back; DualPipe's in both directions."""
    devices = 4
    shape = shape_of(name, devices, 8, CHUNKS.get(name, 1))
    program = SCHEDULES[name].program(shape)
    homes = [sorted({each.stage for each in program.stream(device)})
             for device in range(devices)]
    wanted = {"interleaved-zb": lambda d: [d, d + devices],
              "dualpipe": lambda d: sorted([d, devices - 1 - d])}
    if name in CHUNKED:
        wanted[name] = lambda d: [d, 2 * devices - 1 - d]
    assert homes == [wanted.get(name, lambda d: [d])(d) for d in range(devices)]


def test_half_of_dualpipes_micro_batches_go_each_way():
    program = SCHEDULES["dualpipe"].program(PipelineShape(4, 2, 8))
    for device in range(4):
        for each in program.stream(device):
            if each.op is not Op.U:
                assert (each.stage == device) == (each.index % 8 < 4)


@pytest.mark.parametrize("name", ["zb-h1", "zb-h2", "interleaved-zb"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_fewer_micro_batches_than_devices_have_an_order_too(name, n):
    SCHEDULES[name].program(shape_of(name, 4, n)).validate()


@pytest.mark.parametrize("devices", range(1, 8))
@pytest.mark.parametrize("name", ["zbv", "v-half", "v-min"])
def test_orders_in_a_v_can_be_executed_on_any_number_of_devices(name, devices):
    for n in (1, 2, devices, 2 * devices + 1):
        SCHEDULES[name].program(shape_of(name, devices, n)).validate()


@pytest.mark.parametrize(("name", "shape", "said"), [
    ("zbv", (4, 1, 4), "zbv has two stages on every device, the second on the way back: "
                       "chunks = 2, got 1"),
    ("v-half", (6, 1, 4, 3), "v-half has two stages on every device, the second on the way back: "
                             "chunks = 2, got 3"),
    ("v-min", (4, 1, 4), "chunks = 2, got 1"), ("dualpipev", (4, 1, 4), "chunks = 2, got 1"),
    ("dualpipev", (8, 1, 7, 2), "dualpipev takes at least as many micro-batches as stages, got 7 "
                                "for 8"),
    ("dualpipe", (3, 1, 8), "dualpipe takes an even number of stages, and of micro-batches an "
                            "even number that is at least twice that, got 3 and 8"),
    ("dualpipe", (4, 1, 9), "got 4 and 9"), ("dualpipe", (4, 1, 6), "got 4 and 6"),
    ("dualpipe", (4, 1, 8, 2), "dualpipe has one stage per device"),
    ("dualpipe", (4, 2, 8, 1, 2), "dualpipe has stages on several devices, which take one worker, "
                                  "got 2"),
    ("interleaved-zb", (8, 1, 9, 2), "interleaved-zb takes micro-batches in 2 equal rounds on 4 "
                                     "devices, got 9 micro-batches"),
    ("zb-h1", (4, 1, 4, 2), "zb-h1 has one stage per device; chunks are for "),
])
def test_a_shape_without_an_order_is_refused(name, shape, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        SCHEDULES[name].check(PipelineShape(*shape))


def test_a_last_mini_batch_without_an_order_is_refused():
    with pytest.raises(ValueError, match="got 7 for 8"):
        SCHEDULES["dualpipev"].check(PipelineShape(8, 3, 8, 2, last_microbatches=7))
