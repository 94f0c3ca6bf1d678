"""Interleaved 1F1B: Megatron's order, the published bubble, uneven rounds, what it refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.metrics.timing import timing
from sim.errors import ConfigurationError
from sim.op import Op
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from tests.oracles.megatron import order
from tests.sim.experiments import TINY, experiment, history, same_weights, simulate

TIMES = {"task": "none", "schedule": "interleaved", "batch_size": 48}


def passes(program, device: int) -> list[str]:
    return [str(each) for each in program.stream(device) if each.op is not Op.U]


def test_the_first_device_of_the_published_figure():
    """Megatron-LM's Figure 4: four devices with two chunks, eight micro-batches (here from 0)."""
    program = SCHEDULES["interleaved"].program(PipelineShape(8, 1, 8, 2))
    assert passes(program, 0)[:14] == [
        "0F0", "0F1", "0F2", "0F3", "4F0", "4F1", "4F2", "4F3", "0F4", "0F5", "0F6", "4B0",
        "0F7", "4B1"]
    for device in range(4):
        assert passes(program, device) == order(device, 4, 2, 8)


@given(st.integers(1, 5), st.integers(2, 4), st.integers(1, 4))
def test_the_order_is_megatrons_wherever_devices_divide_the_micro_batches(devices, chunks, rounds):
    shape = PipelineShape(devices * chunks, 1, rounds * devices, chunks)
    program = SCHEDULES["interleaved"].program(shape).validate()
    for device in range(devices):
        assert passes(program, device) == order(device, devices, chunks, rounds * devices)


@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 4))
def test_the_bubble_is_the_published_one(devices, chunks, rounds):
    """(S−1)/(V·M+S−1) for S devices and V chunks."""
    n = rounds * devices
    trace = simulate(**TIMES | {"batch_size": n}, stages=devices * chunks, chunks=chunks,
                     microbatches=n, minibatches=1)
    makespan = 2 * (chunks * n + devices - 1)
    assert trace.end_s.max() == makespan
    assert timing(trace).bubble_fraction == pytest.approx(
        (devices - 1) / (chunks * n + devices - 1), abs=1e-12)


def test_four_by_two_by_eight_takes_38_seconds():
    trace = simulate(**TIMES, stages=8, chunks=2, microbatches=8, minibatches=1)
    assert trace.end_s.max() == 38


@given(st.integers(1, 4), st.integers(1, 8))
def test_one_chunk_a_device_is_1f1b(stages, microbatches):
    shape = PipelineShape(stages, 2, microbatches)
    assert SCHEDULES["interleaved"].program(shape) == SCHEDULES["1f1b"].program(shape)


def test_it_trains_like_sequential():
    keys = {**TINY, "stages": 6, "microbatches": 4, "minibatches": 4}
    _, interleaved = history(**keys, schedule="interleaved", chunks=2)
    assert same_weights(interleaved, history(**keys, schedule="sequential")[1])


def refusal(**keys) -> str:
    with pytest.raises(ConfigurationError) as caught:
        experiment(**{"task": "none", "batch_size": 48} | keys)
    return str(caught.value)


def test_rounds_shorter_than_the_pipeline_are_refused():
    said = refusal(schedule="interleaved", stages=4, chunks=2, microbatches=5, batch_size=50,
                   round_size=2)
    assert said == ("pipeline.schedule: rounds have at least as many micro-batches as there are "
                    "devices, so 2, the last one too; rounds of 2 leave 1 of 5 micro-batches")


@pytest.mark.parametrize(("microbatches", "round_size", "seconds"), [
    (10, None, 69), (9, 5, 63), (9, None, 63), (8, None, 57)])
def test_rounds_that_devices_do_not_divide_leave_the_bubble_as_it_is(microbatches, round_size,
                                                                     seconds):
    """Four devices of two chunks, a backward of two forwards: 3·2 seconds a micro-batch, and 9."""
    trace = simulate(**TIMES | {"batch_size": microbatches}, stages=8, chunks=2, minibatches=1,
                     microbatches=microbatches, round_size=round_size, backward_s=2.0)
    assert trace.end_s.max() == seconds == 6 * microbatches + 9


def test_chunks_are_for_schedules_that_can():
    said = refusal(schedule="round-robin", stages=4, chunks=2)
    assert said == ("pipeline.schedule: round-robin has one stage per device; chunks are for "
                    "dualpipev, hanayo, interleaved, interleaved-zb, looped-bfs, v-half, v-min, "
                    "zbv")
    assert refusal(schedule="interleaved", stages=5, chunks=2) == (
        "pipeline.chunks: divides pipeline.stages, got 2 and 5")


def test_fewer_in_flight_is_for_schedules_that_can():
    assert "in_flight is for round-robin" in refusal(schedule="gpipe", in_flight=2)
