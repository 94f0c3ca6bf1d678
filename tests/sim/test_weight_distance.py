"""Weight distance: weights a pass used against those just before its mini-batch's own update."""

import itertools
import math

import numpy as np
import pytest

from sim.numerics.distances import Measures
from sim.op import Op
from tests.sim.experiments import TINY, by_pass, history, simulate

STAGES, MINIBATCHES = 3, 9
RUN = {**TINY, "stages": STAGES, "minibatches": MINIBATCHES, "learning_rate": 0.1}


def measures(used, fresh) -> tuple[float, float]:
    """RMSE and relative distance, one weight at a time."""
    squares = math.fsum((float(a) - float(b)) ** 2 for a, b in zip(used, fresh, strict=True))
    norm = math.fsum(float(b) ** 2 for b in fresh)
    return math.sqrt(squares / len(fresh)), math.sqrt(squares / norm)


def stale(k: int, i: int) -> int:
    """The version the forward of mini-batch i (from 1) reads on stage k of the round robin."""
    return max(0, i - 1 - (STAGES - 1 - k))


READ = {
    "none": lambda op, k, i: stale(k, i) if op == Op.F else i - 1,
    "stash": lambda op, k, i: stale(k, i),
    "vertical-sync": lambda op, k, i: stale(0, i),
}


@pytest.mark.parametrize("mitigation", READ)
@pytest.mark.parametrize("op", [Op.F, Op.B])
def test_distances_are_between_the_version_read_and_the_one_updated(mitigation, op):
    trace, weights = history(**RUN, mitigation=mitigation)
    rmse, relative = by_pass(trace, "weight_rmse", op), by_pass(trace, "weight_distance", op)
    for k in range(STAGES):
        for i in range(1, MINIBATCHES + 1):
            used = weights[k][READ[mitigation](op, k, i)]
            expected = measures(used, weights[k][i - 1])
            assert (rmse[k, i - 1], relative[k, i - 1]) == pytest.approx(expected, rel=1e-9)


def test_a_predictions_distance_is_that_of_the_predicted_weights():
    keys = {**RUN, "mitigation": {"name": "spectrain", "horizon": "update"},
            "convention": "heavy-ball", "momentum": 0.5}
    trace, weights = history(**keys)
    rmse = by_pass(trace, "weight_rmse", Op.F)
    for k in range(STAGES):
        for i in range(1, MINIBATCHES + 1):
            base, own = weights[k][stale(k, i)], weights[k][i - 1]
            before = weights[k][max(0, stale(k, i) - 1)]
            steps = i - 1 - stale(k, i)
            predicted = base + steps * (base - before)  # η·v is the step that made `base`
            assert rmse[k, i - 1] == pytest.approx(measures(predicted, own)[0], rel=1e-6,
                                                   abs=1e-12)


def test_an_interpolations_distance_is_that_of_the_interpolated_weights():
    trace, weights = history(**RUN, mitigation={"name": "i-timeprest", "decay": 0.5})
    relative = by_pass(trace, "weight_distance", Op.B)
    for k in range(STAGES):
        for i in range(1, MINIBATCHES + 1):
            old, fresh = weights[k][stale(k, i)], weights[k][i - 1]
            share = math.exp(-0.5 * (i - 1 - stale(k, i)))
            expected = measures(share * old + (1 - share) * fresh, fresh)[1]
            assert relative[k, i - 1] == pytest.approx(expected, rel=1e-9, abs=1e-15)


def test_updates_and_fresh_passes_have_no_distance():
    trace = simulate(**RUN, mitigation="none")
    assert np.isnan(trace.weight_rmse[trace.op == Op.U]).all()
    assert np.all(by_pass(trace, "weight_rmse", Op.B) == 0)


def test_a_backward_of_a_whole_minibatch_has_the_mean_over_its_micro_batches():
    keys = {**RUN, "schedule": "nf1b", "microbatches": 2, "mitigation": "stash"}
    trace, weights = history(**keys)
    forward = by_pass(trace, "version_read", Op.F)
    rmse = by_pass(trace, "weight_rmse", Op.B)
    for k in range(STAGES):
        for i in range(1, MINIBATCHES + 1):
            versions = forward[k, 2 * (i - 1) : 2 * i].astype(int)
            both = [measures(weights[k][v], weights[k][i - 1])[0] for v in versions]
            assert rmse[k, 2 * (i - 1)] == pytest.approx(sum(both) / 2, rel=1e-9)


def test_without_distances_the_columns_are_empty_and_the_weights_the_same():
    trace, weights = history(**RUN, distances=False)
    assert np.isnan(trace.weight_rmse).all()
    assert np.isnan(trace.weight_distance).all()
    assert np.array_equal(weights[0][-1], history(**RUN)[1][0][-1])


def between(used, fresh) -> tuple[float, float]:
    """RMSE and relative distance of a forward, as they are measured."""
    measures = Measures.none_yet(1, len(fresh), measured=True)
    measures.passed(0, used, used)
    measures.updated([0], fresh, np.zeros(len(fresh)), 0.1)
    rmse, relative = measures.distances(Op.F)
    return float(rmse[0]), float(relative[0])


def test_distance_from_zero_weights_is_relative_to_nothing():
    rmse, relative = between(np.array([3.0, 4.0]), np.zeros(2))
    assert rmse == pytest.approx(5 / math.sqrt(2))
    assert relative == math.inf


def test_equal_weights_have_distance_zero():
    assert between(np.ones(3), np.ones(3))[0] == 0


def test_the_mean_update_is_recorded_per_stage():
    trace, weights = history(**RUN)
    for k, found in enumerate(trace.header.training.mean_update_rmse):
        steps = [math.sqrt(np.mean((b - a) ** 2)) for a, b in
                 itertools.pairwise(weights[k])]
        assert found == pytest.approx(np.mean(steps), rel=1e-9)
