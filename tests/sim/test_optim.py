"""Momentum in its two conventions, and learning rate schedules."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.numerics.optimizers.momentum_sgd import MomentumSGD
from sim.numerics.rate import LearningRate
from tests.sim.experiments import history

gradients = st.lists(st.floats(-2, 2), min_size=1, max_size=20)
momenta = st.floats(0.0, 0.99)


def stepped(values, momentum, convention, rate):
    optimizer = MomentumSGD(momentum, convention, np.zeros(1))
    weights = [np.ones(1)]
    for g in values:
        weights.append(optimizer.step(weights[-1], np.array([g]), rate))
    return np.concatenate(weights), float(optimizer.velocity[0])


@given(gradients, momenta, st.floats(1e-3, 1.0))
def test_ema_is_the_recurrence_of_the_mean(values, momentum, rate):
    w, v = [1.0], 0.0
    for g in values:
        v = momentum * v + (1 - momentum) * g
        w.append(w[-1] - rate * v)
    found, velocity = stepped(values, momentum, "ema", rate)
    assert found == pytest.approx(w, abs=1e-12)
    assert velocity == pytest.approx(v, abs=1e-12)


@given(gradients, momenta, st.floats(1e-3, 1.0))
def test_heavy_ball_adds_gradients_to_the_decayed_velocity(values, momentum, rate):
    w, v = [1.0], 0.0
    for g in values:
        v = momentum * v + g
        w.append(w[-1] - rate * v)
    found, velocity = stepped(values, momentum, "heavy-ball", rate)
    assert found == pytest.approx(w, abs=1e-12)
    assert velocity == pytest.approx(v, abs=1e-12)


@given(gradients, momenta, st.floats(1e-3, 1.0))
def test_the_conventions_differ_by_a_factor_in_the_learning_rate(values, momentum, rate):
    ema, _ = stepped(values, momentum, "ema", rate / (1 - momentum))
    heavy, _ = stepped(values, momentum, "heavy-ball", rate)
    assert ema == pytest.approx(heavy, rel=1e-9, abs=1e-9)


def test_the_first_step_is_dampened_unlike_torchs():
    found, _ = stepped([1.0], 0.9, "ema", 1.0)
    assert found[-1] == pytest.approx(1 - 0.1)


def test_a_step_changes_nothing_in_place():
    optimizer = MomentumSGD(0.9, "ema", np.zeros(2))
    weights, gradient, velocity = np.ones(2), np.full(2, 3.0), optimizer.velocity
    new = optimizer.step(weights, gradient, 0.5)
    assert weights.tolist() == [1, 1]
    assert gradient.tolist() == [3, 3]
    assert velocity.tolist() == [0, 0]
    assert new is not weights


def test_conventions_agree_in_a_pipeline_after_scaling_the_learning_rate():
    keys = {"task": "quadratic", "stages": 3, "minibatches": 30, "momentum": 0.75,
            "curvatures": [0.5, 2.0], "mitigation": "spectrain"}
    _, ema = history(**keys, convention="ema", learning_rate=0.04)
    _, heavy = history(**keys, convention="heavy-ball", learning_rate=0.01)
    assert np.allclose(ema, heavy, rtol=1e-12, atol=1e-14)


def test_a_constant_rate_is_constant():
    assert {LearningRate(0.3)(update) for update in range(50)} == {0.3}


@pytest.mark.parametrize(("update", "rate"), [(0, 0.8), (9, 0.8), (10, 0.4), (19, 0.4),
                                              (20, 0.2), (35, 0.1)])
def test_a_step_schedule_multiplies_every_so_many_updates(update, rate):
    schedule = LearningRate(0.8, "step", every=10, factor=0.5)
    assert schedule(update) == pytest.approx(rate, rel=1e-15)


@pytest.mark.parametrize(("update", "rate"), [
    (0, 0.8), (25, 0.8 * 0.5 * (1 + math.sqrt(0.5))), (50, 0.4), (100, 0.0), (150, 0.0)])
def test_a_cosine_falls_to_zero_over_its_updates(update, rate):
    assert LearningRate(0.8, "cosine", updates=100)(update) == pytest.approx(rate, abs=1e-15)


@pytest.mark.parametrize(("update", "rate"), [(0, 0.2), (1, 0.4), (2, 0.6), (3, 0.8), (4, 0.8),
                                              (54, 0.4), (104, 0.0)])
def test_warm_up_is_linear_and_comes_before_the_cosine(update, rate):
    schedule = LearningRate(0.8, "cosine", updates=104, warmup=4)
    assert schedule(update) == pytest.approx(rate, abs=1e-15)


def test_the_rates_of_a_run_follow_each_stages_own_updates():
    _, weights = history(task="quadratic", stages=2, minibatches=6, momentum=0.0,
                         learning_rate=0.4, mitigation="stash",
                         rate_schedule={"name": "step", "every": 3, "factor": 0.5, "warmup": 2})
    rates = [0.2, 0.4, 0.4, 0.2, 0.2, 0.2]
    for stage, delay in ((0, 1), (1, 0)):
        w = [1.0]
        for i, rate in enumerate(rates):
            w.append(w[-1] - rate * w[max(0, i - delay)])
        assert np.concatenate(weights[stage]) == pytest.approx(w, abs=1e-14)
