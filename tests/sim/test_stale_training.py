"""Asynchronous training of the digits against a plain NumPy loop that picks its versions.

On round robin the version a forward reads on stage k for mini-batch i is max(0, i−1−(S−1−k)).
"""

import numpy as np
import pytest

from sim.experiment.setup import make_task
from tests.oracles.stale_perceptron import train
from tests.sim.experiments import TINY, experiment, history

STAGES, MINIBATCHES, RATE, MOMENTUM = 4, 14, 0.05, 0.5
SIZES = (64, 6, 6, 6, 10)
RUN = {**TINY, "stages": STAGES, "minibatches": MINIBATCHES, "learning_rate": RATE,
       "momentum": MOMENTUM, "convention": "heavy-ball"}


def stale(k: int, i: int) -> int:
    return max(0, i - 1 - (STAGES - 1 - k))


RULES = {
    "none": lambda op, k, i: stale(k, i) if op == "F" else i - 1,
    "stash": lambda op, k, i: stale(k, i),
    "vertical-sync": lambda op, k, i: stale(0, i),
}


@pytest.mark.parametrize("backward", ["graph", "recompute"])
@pytest.mark.parametrize("mitigation", RULES)
def test_weights_are_those_of_the_plain_loop(mitigation, backward):
    task = make_task(experiment(**RUN))
    data = [(task.inputs(m), task.target(m)) for m in range(MINIBATCHES)]
    expected = train(list(task.weights), SIZES, data, RULES[mitigation], RATE, MOMENTUM,
                     backward == "recompute")
    _, found = history(**RUN, mitigation=mitigation, backward=backward)
    for ours, theirs in zip(found, expected, strict=True):
        for version, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            assert np.linalg.norm(a - b) <= 1e-12 * np.linalg.norm(b), f"version {version}"


def test_the_three_rules_train_three_different_networks():
    final = [history(**RUN, mitigation=name)[1][0][-1] for name in RULES]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(final[one] - final[other]).max() > 1e-6
