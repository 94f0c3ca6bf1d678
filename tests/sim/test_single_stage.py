"""With one stage nothing is stale: every schedule and mitigation is plain training."""

import pytest

from tests.oracles.plain_training import plain_training
from tests.sim.experiments import TINY, experiment, history, same_weights
from tests.sim.pairs import running

NESTEROV = {"nwpt"}  # look one step ahead even where nothing is stale
DELAYED = {"2bw"}  # a mini-batch late by definition, tested on its own
RUN = {**TINY, "stages": 1, "minibatches": 6, "learning_rate": 0.1, "momentum": 0.9}


def plain(convention: str, microbatches: int, nesterov: bool):
    from sim.experiment.setup import make_task

    task = make_task(experiment(**RUN, microbatches=microbatches))
    return plain_training(task, RUN["minibatches"], microbatches,
                          learning_rate=RUN["learning_rate"], momentum=RUN["momentum"],
                          ema=convention == "ema", nesterov=nesterov)


@pytest.mark.parametrize("convention", ["ema", "heavy-ball"])
@pytest.mark.parametrize("backward", ["graph", "recompute"])
@pytest.mark.parametrize(("schedule", "mitigation", "microbatches"), [
    (*pair, n) for n in (1, 2) for pair in running(1, n) if pair[1] not in DELAYED])
def test_one_stage_is_plain_training_bit_for_bit(schedule, mitigation, microbatches, backward,
                                                 convention):
    trace, weights = history(**RUN, schedule=schedule, mitigation=mitigation, backward=backward,
                             microbatches=microbatches, convention=convention)
    expected, losses = plain(convention, microbatches, mitigation in NESTEROV)
    assert same_weights(weights, expected)
    assert trace.curves["minibatch_loss"].tolist() == losses


def test_nesterov_is_not_plain_training():
    assert not same_weights(plain("heavy-ball", 1, True)[0], plain("heavy-ball", 1, False)[0])


@pytest.mark.parametrize("convention", ["ema", "heavy-ball"])
def test_momentum_zero_is_gradient_descent_in_both_conventions(convention):
    _, weights = history(**{**RUN, "momentum": 0.0}, convention=convention)
    _, other = history(**{**RUN, "momentum": 0.0}, convention="ema")
    assert same_weights(weights, other)
