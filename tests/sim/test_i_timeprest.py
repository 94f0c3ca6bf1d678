"""I-TiMePReSt between its two ends: decay 0 is stash, decay ∞ the latest weights."""

import math

import numpy as np
import pytest

from sim.op import Op
from tests.sim.experiments import TINY, by_pass, history, same_weights, simulate, steady

TASKS = {"digits": TINY, "quadratic": {"task": "quadratic", "curvatures": [0.5, 2.0]}}
EVERY = [pytest.mark.parametrize("task", TASKS),
         pytest.mark.parametrize("backward", ["graph", "recompute"]),
         pytest.mark.parametrize(("schedule", "microbatches"), [
             ("round-robin", 1), ("round-robin", 2), ("nf1b", 2), ("nf1b", 4)])]


def every(test):
    for mark in EVERY:
        test = mark(test)
    return test


def trained(task, backward, schedule, microbatches, mitigation):
    return history(**TASKS[task], backward=backward, schedule=schedule, stages=4,
                   microbatches=microbatches, minibatches=10, mitigation=mitigation)


@every
def test_without_decay_it_is_stash_bit_for_bit(task, backward, schedule, microbatches):
    case = task, backward, schedule, microbatches
    one, weights = trained(*case, {"name": "i-timeprest", "decay": 0.0})
    other, stash = trained(*case, "stash")
    assert same_weights(weights, stash)
    assert np.array_equal(one.curves["minibatch_loss"], other.curves["minibatch_loss"])
    assert np.array_equal(one.weight_rmse, other.weight_rmse, equal_nan=True)


@every
def test_with_infinite_decay_it_is_none_bit_for_bit(task, backward, schedule, microbatches):
    case = task, backward, schedule, microbatches
    one, weights = trained(*case, {"name": "i-timeprest", "decay": math.inf})
    other, none = trained(*case, "none")
    assert same_weights(weights, none)
    assert np.array_equal(one.weight_rmse, other.weight_rmse, equal_nan=True)


def test_in_between_it_is_neither():
    case = "digits", "graph", "round-robin", 1
    _, between = trained(*case, "i-timeprest")
    assert not same_weights(between, trained(*case, "stash")[1])
    assert not same_weights(between, trained(*case, "none")[1])


@pytest.mark.parametrize(("parameters", "share"), [
    ({}, lambda d: math.exp(-d)),
    ({"decay": 0.25}, lambda d: math.exp(-0.25 * d)),
    ({"decay": math.inf}, lambda d: float(d == 0)),
    ({"weighting": "reciprocal"}, lambda d: 1 / (1 + d)),
])
def test_effective_staleness_is_the_gap_times_its_share(parameters, share):
    trace = simulate(stages=5, minibatches=24, task="none",
                     mitigation={"name": "i-timeprest", **parameters})
    found = by_pass(trace, "effective_staleness", Op.B)[:, steady(trace.shape)]
    for k, row in enumerate(found):
        gap = 4 - k
        assert row == pytest.approx(share(gap) * gap, abs=1e-12)
    read = [0] * 5 if parameters.get("decay") == math.inf else [4, 3, 2, 1, 0]
    assert np.all(by_pass(trace, "staleness", Op.B)[:, 12] == read)


def test_effective_staleness_of_a_whole_minibatch_is_the_mean_over_its_micro_batches():
    trace = simulate(schedule="nf1b", stages=4, microbatches=2, minibatches=20, task="none",
                     mitigation="i-timeprest")
    gaps = [[max(0, math.ceil((2 * (3 - k) - j) / 2)) for j in range(2)] for k in range(4)]
    mean = [sum(d * math.exp(-d) for d in row) / 2 for row in gaps]
    assert by_pass(trace, "effective_staleness", Op.B)[:, 24] == pytest.approx(mean, abs=1e-12)
