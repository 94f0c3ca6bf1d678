"""Schedules that flush train like `sequential`, and like one whole batch."""

import numpy as np
import pytest

from sim.experiment.setup import make_task
from sim.order.program import Program
from sim.order.shape import PipelineShape
from tests.oracles.plain_training import plain_training
from tests.sim.experiments import TINY, by_pass, experiment, history, same_weights, simulate
from tests.sim.pairs import running

FLUSHING = ["sequential", "gpipe", "1f1b", "split", "interleaved"]
NESTEROV = {"nwpt"}
RUN = {**TINY, "minibatches": 5, "learning_rate": 0.1, "momentum": 0.9,
       "convention": "heavy-ball"}
DELAYED = {"2bw"}  # a mini-batch late by definition, tested on its own
PAIRS = pytest.mark.parametrize(("schedule", "mitigation"), [
    pair for pair in running(3, 4, FLUSHING) if pair[1] not in DELAYED])


def plain(stages: int, microbatches: int, nesterov: bool = False):
    task = make_task(experiment(**RUN, stages=stages, microbatches=microbatches))
    return plain_training(task, RUN["minibatches"], microbatches, learning_rate=0.1,
                          momentum=0.9, ema=False, nesterov=nesterov)


@PAIRS
@pytest.mark.parametrize(("stages", "microbatches"), [(2, 2), (3, 4), (4, 2)])
def test_a_flushing_schedule_is_plain_training_bit_for_bit(schedule, mitigation, stages,
                                                           microbatches):
    trace, weights = history(**RUN, schedule=schedule, mitigation=mitigation, stages=stages,
                             microbatches=microbatches)
    expected, losses = plain(stages, microbatches, mitigation in NESTEROV)
    assert same_weights(weights, expected)
    assert trace.curves["minibatch_loss"].tolist() == losses


@pytest.mark.parametrize("backward", ["graph", "recompute"])
@PAIRS
def test_every_flushing_schedule_equals_sequential_without_mitigation(schedule, mitigation,
                                                                      backward):
    keys = {**RUN, "stages": 3, "microbatches": 4, "backward": backward}
    _, weights = history(**keys, schedule=schedule, mitigation=mitigation)
    other = "nwpt" if mitigation in NESTEROV else "none"
    _, sequential = history(**keys, schedule="sequential", mitigation=other)
    assert same_weights(weights, sequential)


@PAIRS
def test_nothing_is_stale_where_the_pipeline_flushes(schedule, mitigation):
    trace = simulate(schedule=schedule, mitigation=mitigation, stages=3, microbatches=4,
                     minibatches=4, task="none")
    assert np.all(trace.staleness == 0)
    assert np.all(by_pass(trace, "version_read") == np.arange(16) // 4)


@pytest.mark.parametrize("schedule", FLUSHING)
def test_cutting_a_minibatch_changes_only_rounding(schedule):
    whole = history(**RUN, schedule=schedule, stages=3)
    pieces = history(**RUN, schedule=schedule, stages=3, microbatches=4)
    for a, b in zip(whole[1], pieces[1], strict=True):
        for x, y in zip(a, b, strict=True):
            assert np.linalg.norm(x - y) <= 1e-12 * np.linalg.norm(x)
    loss, cut = (each[0].curves["minibatch_loss"] for each in (whole, pieces))
    assert np.allclose(loss, cut, rtol=1e-12, atol=0)


@pytest.mark.parametrize("backward", ["graph", "recompute"])
def test_gradients_add_in_micro_batch_order_whatever_order_the_backwards_ran_in(backward):
    text = "\n".join(",".join([f"{k}F{m}" for m in range(4)] + [f"{k}B{m}" for m in (2, 0, 3, 1)])
                     for k in range(3))
    program = Program.parse(text, PipelineShape(3, 1, 4))
    keys = {**RUN, "stages": 3, "minibatches": 1, "microbatches": 4, "backward": backward}
    _, shuffled = history(program, schedule="gpipe", **keys)
    _, in_order = history(schedule="gpipe", **keys)
    assert same_weights(shuffled, in_order)


def test_asynchronous_training_is_different():
    _, stale = history(**RUN, schedule="round-robin", mitigation="stash", stages=3)
    assert not same_weights(stale, plain(3, 1)[0])
