"""PipeDream-2BW: staleness one, two versions, and as many micro-batches as stages."""

import numpy as np
import pytest

from sim.errors import ConfigurationError
from tests.sim.experiments import TINY, by_pass, experiment, history, simulate

RUN = {"mitigation": "2bw", "task": "none", "minibatches": 12}


@pytest.mark.parametrize(("stages", "microbatches"), [(1, 1), (2, 2), (3, 4), (4, 4), (4, 8)])
@pytest.mark.parametrize("schedule", ["round-robin", "1f1b", "gpipe", "sequential"])
def test_every_pass_is_one_update_late_and_two_versions_are_held(schedule, stages, microbatches):
    trace = simulate(**RUN, schedule=schedule, stages=stages, microbatches=microbatches,
                     batch_size=microbatches)
    minibatch = np.arange(12 * microbatches) // microbatches
    for op in (0, 1):
        read = by_pass(trace, "version_read", op)
        assert np.all(read == np.maximum(minibatch - 1, 0))
    late = by_pass(trace, "staleness")
    assert np.all(late[:, microbatches:] == 1)
    assert np.all(late[:, :microbatches] == 0)
    assert trace.header.versions_held == [2] * stages


@pytest.mark.parametrize(("stages", "microbatches"), [(2, 1), (3, 2), (8, 4)])
def test_fewer_micro_batches_than_stages_are_refused(stages, microbatches):
    with pytest.raises(ConfigurationError, match="2bw needs at least as many micro-batches per "
                       f"update as stages, got {microbatches} micro-batches and {stages} stages"):
        experiment(**RUN, stages=stages, microbatches=microbatches)


def test_nf1b_is_refused():
    with pytest.raises(ConfigurationError, match="1F1B orders, not on nf1b"):
        experiment(**RUN, schedule="nf1b", stages=2, microbatches=2)


def test_it_is_gradient_descent_with_a_delay_of_one():
    """Against a recurrence written here: w ← w − η·λ·w one update ago, on the quadratic."""
    rate, curvature = 0.3, 0.7
    _, weights = history(**RUN | {"task": "quadratic"}, stages=3, microbatches=4, momentum=0.0,
                         learning_rate=rate, curvatures=[curvature])
    w = [1.0, 1.0 - rate * curvature]
    while len(w) < 13:
        w.append(w[-1] - rate * curvature * w[-2])
    for stage in weights:
        assert np.allclose([v[0] for v in stage], w, rtol=1e-12, atol=0)


def test_it_trains_alike_on_every_order_that_it_is_defined_on():
    keys = {**TINY, "mitigation": "2bw", "stages": 3, "microbatches": 4, "minibatches": 6}
    loss = {schedule: history(**keys, schedule=schedule)[0].curves["minibatch_loss"]
            for schedule in ("round-robin", "1f1b", "sequential")}
    assert np.array_equal(loss["round-robin"], loss["1f1b"])
    assert np.array_equal(loss["round-robin"], loss["sequential"])
