"""Flushed, whatever is put off or paired: nothing is stale, and training is `sequential`'s."""

from collections import defaultdict

import numpy as np
import pytest

from analysis.metrics.report import report
from sim.errors import ConfigurationError
from sim.experiment.run import run
from tests.sim.experiments import TINY, by_pass, experiment, history, same_weights, simulate
from tests.sim.zero_bubble.timed import CHUNKED, most_held

ORDERS = [("zb-h1", 4, 1), ("zb-h2", 4, 1), ("interleaved-zb", 4, 2),
          *((name, 4, 2) for name in CHUNKED)]
KEYS = {**TINY, "minibatches": 3, "momentum": 0.9}


@pytest.mark.parametrize(("name", "stages", "chunks"), ORDERS)
def test_training_is_that_of_the_whole_mini_batch_bit_for_bit(name, stages, chunks):
    keys = {**KEYS, "stages": stages, "microbatches": 4}
    trace, weights = history(**keys, schedule=name, chunks=chunks)
    _, sequential = history(**keys, schedule="sequential")
    assert same_weights(weights, sequential)
    assert np.all(trace.staleness == 0)
    assert np.all(by_pass(trace, "version_read") == np.arange(12) // 4)


@pytest.mark.parametrize(("stages", "n"), [(2, 4), (4, 8)])
def test_both_copies_of_dualpipe_have_the_gradient_of_all_micro_batches(stages, n):
    """So after every update their weights are `sequential`'s, bit for bit."""
    keys = {**KEYS, "stages": stages, "microbatches": n}
    found = defaultdict(list)
    trace = run(experiment(**keys, schedule="dualpipe"),
                watch=lambda stage, version, new: found[stage, version].append(new.copy()))
    _, sequential = history(**keys, schedule="sequential")
    assert sorted(found) == [(k, v) for k in range(stages) for v in (1, 2, 3)]
    for (stage, version), copies in found.items():
        assert len(copies) == 2
        assert all(np.array_equal(each, sequential[stage][version]) for each in copies)
    assert np.all(trace.staleness == 0)
    assert np.all(by_pass(trace, "version_read") == np.arange(3 * n) // n)


def test_a_device_of_dualpipe_holds_the_weights_of_two_stages():
    """And the activations of S+1 micro-batches at most, of either stage."""
    trace = simulate(**KEYS, stages=4, microbatches=8, schedule="dualpipe")
    memory = report(trace)["memory"]
    weights, many = memory["weight_bytes"], memory["peak_in_flight"]
    one = [size // most for size, most in zip(memory["peak_activation_bytes"], many, strict=True)]
    for device in range(4):
        rows = trace.device == device
        held = {k: most_held(trace.op[rows & (trace.stage == k)]) for k in (device, 3 - device)}
        assert sum(held.values()) == 5
        assert memory["peak_device_bytes"][device] == sum(
            weights[k] + most * one[k] for k, most in held.items())


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.verify),
                                  pytest.param(2, marks=pytest.mark.verify)])
@pytest.mark.parametrize(("name", "stages", "chunks"), [
    each for each in ORDERS if each[0] != "dualpipev"])
def test_greedy_dispatch_flushes_what_flushes(name, stages, chunks, seed):
    """No forward of the next mini-batch overtakes a weight half that its stage still owes."""
    draw = np.random.default_rng(seed)
    costs = {key: draw.uniform(0.2, 3.0, stages).tolist() for key in (
        "forward_s", "backward_s", "input_backward_s", "weight_backward_s")}
    trace = simulate(task="none", schedule=name, stages=stages, chunks=chunks, minibatches=6,
                     microbatches=4, batch_size=4, dispatch="greedy", **costs)
    assert np.all(trace.staleness == 0)


@pytest.mark.parametrize("keys", [{}, {"overlapped_s": 1.5}])
def test_greedy_dispatch_of_pairs_is_refused(keys):
    with pytest.raises(ConfigurationError, match="this order issues pairs; choose static"):
        simulate(task="none", schedule="dualpipev", stages=4, chunks=2, microbatches=4,
                 minibatches=2, batch_size=4, dispatch="greedy", **keys)
