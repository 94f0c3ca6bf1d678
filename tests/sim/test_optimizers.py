"""Optimizers by name: their rules against plain loops, alone, side by side and on workers."""

import math

import numpy as np
import pytest

from sim.experiment.batched import run_many
from sim.experiment.configuration import resolve
from sim.experiment.making import make_optimizer
from sim.experiment.run import run
from sim.experiment.setup import make_task
from sim.numerics.optimizers import OPTIMIZERS
from sim.op import Op
from sim.trace import COLUMNS
from tests.oracles.plain_training import minibatch_gradient
from tests.sim.experiments import TINY, by_pass, experiment, history, same_weights
from tests.sim.pairs import running
from tests.sim.problems import only

ADAM = {"optimizer": "adam", "learning_rate": 0.01}


def adam_step(weights, gradient, state, rate, beta1, beta2, epsilon):
    """Kingma & Ba's Algorithm 1, one weight at a time."""
    state["t"] += 1
    new = []
    for i, (w, g) in enumerate(zip(weights.tolist(), gradient.tolist(), strict=True)):
        state["m"][i] = beta1 * state["m"][i] + (1 - beta1) * g
        state["v"][i] = beta2 * state["v"][i] + (1 - beta2) * g * g
        mean = state["m"][i] / (1 - beta1 ** state["t"])
        square = state["v"][i] / (1 - beta2 ** state["t"])
        new.append(w - rate * mean / (math.sqrt(square) + epsilon))
    return np.array(new)


@pytest.mark.parametrize("name", OPTIMIZERS.names())
def test_an_optimizer_says_its_rule_and_source(name):
    kind = OPTIMIZERS[name]
    assert kind.name == name
    assert kind.rule
    assert kind.source
    assert kind() == kind()


@pytest.mark.parametrize("name", OPTIMIZERS.names())
def test_a_step_changes_nothing_in_place_and_is_that_of_each_replica(name):
    rng, kind = np.random.default_rng(2), OPTIMIZERS[name]()
    together = kind.start(0.9, "ema", np.zeros((3, 5)))
    alone = [kind.start(0.9, "ema", np.zeros(5)) for _ in range(3)]
    rates, weights = np.array([[0.1], [0.02], [0.3]]), rng.normal(size=(3, 5))
    for _ in range(4):
        gradient, velocity = rng.normal(size=(3, 5)), together.velocity
        kept = weights.copy(), gradient.copy(), velocity.copy()
        new = together.step(weights, gradient, rates)
        for row, each in enumerate(alone):
            own = each.step(weights[row], gradient[row], float(rates[row, 0]))
            assert np.array_equal(own, new[row])
            assert np.array_equal(each.velocity, together.velocity[row])
        assert all(map(np.array_equal, kept, (weights, gradient, velocity)))
        assert new is not weights
        weights = new


@pytest.mark.parametrize("parameters", [{}, {"second": 0.9, "epsilon": 1e-3}])
def test_adam_without_a_pipeline_is_the_papers_algorithm(parameters):
    keys = {**TINY, **ADAM, "optimizer": {"name": "adam", **parameters}, "momentum": 0.8,
            "schedule": "sequential", "stages": 3, "minibatches": 8, "microbatches": 2}
    _, weights = history(**keys)
    task = make_task(experiment(**keys))
    plain = [first.copy() for first in task.weights]
    states = [{"t": 0, "m": [0.0] * len(w), "v": [0.0] * len(w)} for w in plain]
    beta2, epsilon = parameters.get("second", 0.999), parameters.get("epsilon", 1e-8)
    for i in range(8):
        gradients, _ = minibatch_gradient(task, plain, range(2 * i, 2 * i + 2))
        plain = [adam_step(*each, 0.01, 0.8, beta2, epsilon)
                 for each in zip(plain, gradients, states, strict=True)]
        for k, own in enumerate(plain):
            assert weights[k][i + 1] == pytest.approx(own, rel=1e-9, abs=1e-12)


def test_the_first_step_of_adam_is_the_rate_whatever_the_gradients_size():
    stepped = make_optimizer("adam").start(0.9, "ema", np.zeros(3)).step(
        np.zeros(3), np.array([1e-3, -5.0, 40.0]), 0.25)
    assert stepped == pytest.approx([-0.25, 0.25, -0.25], rel=1e-4)


def test_a_prediction_under_adam_goes_on_by_its_whole_last_step():
    trace, weights = history(**TINY, **ADAM, stages=3, minibatches=9,
                             mitigation={"name": "spectrain", "horizon": "update"})
    rmse = by_pass(trace, "weight_rmse", Op.F)
    for i in range(3, 9):
        base = weights[0][i - 2]
        predicted = base + 2 * (base - weights[0][i - 3])
        expected = math.sqrt(np.mean((predicted - weights[0][i]) ** 2))
        assert rmse[0, i] == pytest.approx(expected, rel=1e-6)


def test_momentum_is_what_is_meant_without_a_word():
    plain = history(**TINY, minibatches=6)[1]
    assert same_weights(plain, history(**TINY, minibatches=6, optimizer="momentum")[1])
    assert same_weights(plain, history(**TINY, minibatches=6, optimizer={"name": "momentum"})[1])
    assert not same_weights(plain, history(**TINY, minibatches=6, optimizer="adam")[1])


@pytest.mark.parametrize("backward", ["graph", "recompute"])
@pytest.mark.parametrize("microbatches", [1, 4])
def test_replicas_under_adam_have_the_bits_of_runs_alone(backward, microbatches):
    """Two optimizers, two parameters of one, two rates: in groups of their own, mixed by nobody."""
    kinds = ["momentum", "adam", {"name": "adam", "second": 0.9}]
    given = [experiment(**TINY, stages=3, minibatches=9, microbatches=microbatches,
                        backward=backward, mitigation=name, optimizer=kind, learning_rate=rate,
                        seed=seed, evaluate_every=4)
             for _, name in running(3, microbatches, ["round-robin"]) for kind in kinds
             for rate, seed in ((0.01, 0), (0.003, 1))]
    found = dict(run_many(given))
    losses = set()
    for place, each in enumerate(given):
        alone, together = run(each), found[place]
        for name in COLUMNS:
            one, two = getattr(alone, name), getattr(together, name)
            assert one.tobytes() == two.tobytes(), name
        assert alone.header.training == together.header.training
        losses.add(together.header.training.final_loss)
    assert len(losses) > len(given) // 2


def test_workers_under_adam_learn_as_one_on_the_joined_batch():
    """All-reduce: the mean of the workers' gradients is the gradient of the joined batch."""
    training = {**TINY, **ADAM, "optimizer": {"name": "adam", "epsilon": 1e-3}}

    def learnt(workers):
        seen = []
        run(resolve({"pipeline": {"schedule": "sequential", "stages": 2,
                                  "minibatches": 12 * workers // 3},
                     "workers": {"count": workers},
                     "training": {**training, "batch_size": 24 // workers}}),
            watch=lambda stage, version, weights: seen.append((stage, version, weights)))
        return seen

    several, one = learnt(3), {(k, v): weights for k, v, weights in learnt(1)}
    assert len(several) == 3 * len(one) == 24
    for k, version, weights in several:
        assert weights == pytest.approx(one[k, version], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("entry", "path", "said"), [
    ("adm", "training.optimizer", "did you mean adam?"),
    ({}, "training.optimizer.name", "choose from adam, momentum"),
    ({"name": "momentum", "second": 0.9}, "training.optimizer.second", "it takes: none"),
    ({"name": "adam", "secnd": 0.9}, "training.optimizer.secnd", "it takes: second, epsilon"),
    ({"name": "adam", "second": "0.9"}, "training.optimizer.second", "'0.9'"),
    ({"name": "adam", "second": 1.0}, "training.optimizer", "second is 0 to 0.999999"),
    ({"name": "adam", "epsilon": 0.0}, "training.optimizer", "epsilon 1e-30 to 1"),
    (3, "training.optimizer", "3"),
])
def test_an_optimizers_name_and_parameters_are_checked(entry, path, said):
    where, message = only({"training": {"optimizer": entry}})
    assert where == path
    assert said in message


def test_an_optimizers_parameters_reach_it():
    table = {"name": "adam", "second": 0.95, "epsilon": 1e-6}
    made = make_optimizer(resolve({"training": {"optimizer": table}}).training.optimizer)
    started = made.start(0.7, "ema", np.zeros(2))
    assert (started.momentum, started.second, started.epsilon) == (0.7, 0.95, 1e-6)
