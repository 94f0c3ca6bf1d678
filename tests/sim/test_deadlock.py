"""A pipeline that cannot go on is reported with what every head waits for."""

import numpy as np
import pytest

from sim.errors import DeadlockError
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.times.cluster import Cluster, Link
from sim.times.costs import CostModel
from sim.times.engine import simulate
from tests.sim import experiments


def run(text: str, shape: PipelineShape):
    one = np.ones(shape.stages)
    costs = CostModel(one, one, 0 * one, 0 * one)
    return simulate(Program.parse(text, shape), costs,
                    Cluster(Link(), np.zeros(shape.stages - 1), 0 * one),
                    np.random.default_rng(0))


def test_two_devices_that_wait_for_each_other_are_both_named():
    with pytest.raises(DeadlockError) as caught:
        run("0F0,0B0,0F1,0B1\n1F1,1B1,1F0,1B0\n", PipelineShape(2, 2))
    said = str(caught.value)
    assert "device 0 at 0B0 waits for 1B0" in said
    assert "device 1 at 1F1 waits for 0F1" in said


def test_an_order_that_can_run_is_run_to_the_end():
    timeline = run("0F0,0B0,0F1,0B1\n1F0,1B0,1F1,1B1\n", PipelineShape(2, 2))
    assert timeline.end_s.max() == 8.0


def test_a_given_program_that_cannot_run_is_refused_by_an_experiment():
    program = Program.parse("0F0,0B0,0F1,0B1\n1F1,1B1,1F0,1B0\n", PipelineShape(2, 2))
    with pytest.raises(DeadlockError, match="device 1 at 1F1 waits for 0F1"):
        experiments.simulate(program, stages=2, minibatches=2, task="none")


@pytest.mark.parametrize(("dispatch", "more"), [("static", ", and its order needs 20"),
                                                ("greedy", "")])
def test_memory_below_one_activation_is_a_deadlock(dispatch, more):
    with pytest.raises(DeadlockError) as caught:
        experiments.simulate(stages=2, minibatches=3, activation_bytes=10.0, task="none",
                             activation_limit_bytes=9.0, dispatch=dispatch)
    said = str(caught.value).removeprefix("the pipeline is deadlocked: ").split("; ")
    assert said[0] == ("device 0 at 0F0 waits for activation memory (10 bytes beside 0 held, "
                       f"limit 9){more}")


@pytest.mark.parametrize("dispatch", ["static", "greedy"])
def test_only_what_does_not_fit_is_said_to_wait_for_memory(dispatch):
    """Stage 1 cannot hold one activation; stage 0 has room, and waits for something else."""
    with pytest.raises(DeadlockError) as caught:
        experiments.simulate(stages=2, minibatches=9, activation_bytes=[1.0, 10.0], task="none",
                             activation_limit_bytes=9.0, dispatch=dispatch)
    full = [part for part in str(caught.value).split("; ") if "activation memory" in part]
    assert len(full) == 1
    assert "device 1 at 1F0 waits for activation memory" in full[0]


def test_a_static_order_that_needs_more_memory_than_there_is_names_device_and_amounts():
    with pytest.raises(DeadlockError) as caught:
        experiments.simulate(stages=3, minibatches=6, activation_bytes=10.0, task="none",
                             activation_limit_bytes=25.0)
    said = str(caught.value)
    assert "device 0 at 0F2 waits for activation memory (10 bytes beside 20 held, limit 25), "\
        "and its order needs 30" in said


def test_a_message_nobody_awaits_is_no_deadlock():
    trace = experiments.simulate(stages=2, minibatches=2, latency_s=50.0, task="none")
    assert trace.end_s.max() == 2 * (1 + 50) + 1 + 1 + 1 + 1  # none waits for another's latency
