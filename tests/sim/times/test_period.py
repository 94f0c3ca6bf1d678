"""The steady period: found where there is one, refused where there is none, never guessed."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.experiment.setup import VirtualSetup
from sim.numerics.tasks import stream
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.times.engine import simulate
from sim.times.exact import in_order, period
from sim.times.exact.equations import MaxPlusSystem
from sim.times.exact.timeline import timeline
from sim.times.exact.zone import find_zone
from tests.sim.experiments import experiment
from tests.sim.fitting import ONE_HOME, fitted, size_keys
from tests.sim.pairs import table
from tests.sim.times.engines import assert_equal, times


def parts(**keys):
    setup = VirtualSetup.of(experiment(task="none", **keys))
    return setup.program, setup.costs, setup.cluster


def filled(program, costs, cluster):
    """Rows filled in, and the timeline."""
    counts = []

    def counting(*args):
        counts.append(fill(*args))
        return counts[-1]

    fill = period._fill
    with mock.patch.object(period, "_fill", counting):
        found = timeline(program, costs, cluster, stream(0, "jitter"), method="periodic")
    return sum(counts), found


LONG = {"stages": 4, "minibatches": 300}


@pytest.mark.parametrize(("schedule", "microbatches"), table(ONE_HOME, [1, 4]))
def test_most_rows_of_every_long_schedule_are_filled_in(schedule, microbatches):
    shape = fitted(schedule, PipelineShape(4, 300, microbatches))
    program, costs, cluster = parts(schedule=schedule, latency_s=0.3, boundary_bytes=3.0,
                                    bandwidth_bytes_per_s=7.0, **size_keys(shape))
    with mock.patch.object(in_order, "executed", side_effect=AssertionError("not by the period")):
        rows, found = filled(program, costs, cluster)
    assert rows > 0.8 * len(program)
    assert_equal(found, simulate(program, costs, cluster, stream(0, "jitter")))


def test_when_messages_were_sent_has_to_repeat_as_well():
    """A link that is the bottleneck: arrivals repeat before what was sent into its queue does."""
    program, costs, cluster = parts(stages=2, minibatches=300, microbatches=2,
                                    forward_s=[1.5, 2.0], backward_s=[4.0, 1.0], update_s=0.5,
                                    boundary_bytes=8.0, bandwidth_bytes_per_s=1.0)
    rows, found = filled(program, costs, cluster)
    assert rows > 0
    assert_equal(found, simulate(program, costs, cluster, stream(0, "jitter")))


@pytest.mark.parametrize("schedule", ["gpipe", "1f1b"])
def test_one_mini_batch_of_many_micro_batches_repeats_within_itself(schedule):
    program, costs, cluster = parts(schedule=schedule, stages=4, minibatches=1, microbatches=900,
                                    latency_s=0.3)
    rows, found = filled(program, costs, cluster)
    assert rows > 0.8 * len(program)
    assert_equal(found, simulate(program, costs, cluster, stream(0, "jitter")))


def test_messages_that_bound_the_rate_give_a_period_of_several_mini_batches():
    """A long way there and back admits S mini-batches in a burst: one period is S of them."""
    program, costs, cluster = parts(latency_s=7.0, **LONG)
    seen = []
    with mock.patch.object(period, "_fill",
                           lambda *args, fill=period._fill: seen.append(args[3]) or fill(*args)):
        found = timeline(program, costs, cluster, stream(0, "jitter"), method="periodic")
    assert seen == [4]
    assert_equal(found, simulate(program, costs, cluster, stream(0, "jitter")))


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(1, 2), min_size=1, max_size=4), st.integers(0, 3))
def test_a_parsed_program_with_a_pattern_of_its_own_repeats(ahead, latency):
    """Depths that alternate from mini-batch to mini-batch, on two stages."""
    minibatches = 40 * len(ahead)
    first, todo = [], []
    for i in range(minibatches):
        first.append(f"0F{i}")
        todo.append(f"0B{i}")
        while len(todo) > ahead[i % len(ahead)]:
            first.append(todo.pop(0))
    second = [f"1F{i},1B{i}" for i in range(minibatches)]
    program = Program.parse(",".join(first + todo) + "\n" + ",".join(second),
                            PipelineShape(2, minibatches))
    _, costs, cluster = parts(stages=2, minibatches=minibatches, latency_s=latency / 4,
                              forward_s=[1.0, 0.5])
    rows, found = filled(program, costs, cluster)
    assert rows > len(program) / 2
    assert_equal(found, simulate(program, costs, cluster, stream(0, "jitter")))


def test_times_that_never_repeat_are_not_filled_in():
    program, costs, cluster = parts(jitter={"sigma": 0.2}, **LONG)
    system = MaxPlusSystem.of(program, costs, cluster, stream(0, "jitter"))
    assert period.extrapolated(system) is None
    assert find_zone(system, program.offsets[:-1], 16) is None


def test_an_order_that_never_repeats_is_not_filled_in():
    rng, minibatches = np.random.default_rng(3), 200
    first, todo = [], []
    for i in range(minibatches):
        first.append(f"0F{i}")
        todo.append(f"0B{i}")
        while todo and (len(todo) > 6 or rng.random() < 0.4):
            first.append(todo.pop(0))
    program = Program.parse(
        ",".join(first + todo) + "\n" + ",".join(f"1F{i},1B{i}" for i in range(minibatches)),
        PipelineShape(2, minibatches))
    _, costs, cluster = parts(stages=2, minibatches=minibatches)
    rows, found = filled(program, costs, cluster)
    assert rows == 0
    assert_equal(found, simulate(program, costs, cluster, stream(0, "jitter")))


def test_a_queue_that_grows_for_ever_has_no_state_twice_and_is_run_out():
    """Forwards of a fast stage pile up before a slow one: the two drift apart."""
    keys = {"schedule": "gpipe", "stages": 2, "minibatches": 1, "microbatches": 1500,
            "forward_s": [1.0, 1.5]}
    assert_equal(times("exact-periodic", **keys), times("simpy", **keys))


def test_a_state_like_an_earlier_one_but_for_one_tick_is_another():
    """Two devices whose costs differ by a tick: the period is found all the same, and exactly."""
    tick = 2.0**-30
    keys = {**LONG, "forward_s": [1.0, 1.0 + tick, 1.0, 1.0], "latency_s": tick}
    assert_equal(times("exact-periodic", **keys), times("simpy", **keys))
