"""Divergence is a result: the run ends, and its header says where it became non-finite."""

import warnings

import numpy as np
import pytest

from sim.mitigations import MITIGATIONS
from tests.sim.experiments import TINY, history, simulate

STEEP = {"task": "quadratic", "curvatures": [1e6], "momentum": 0.0, "learning_rate": 10.0,
         "minibatches": 120}


def quietly(**keys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return simulate(**keys)


@pytest.mark.parametrize("mitigation", MITIGATIONS.names())
def test_a_diverging_run_ends_without_error_or_warning(mitigation):
    schedule = "nf1b" if "timeprest" in mitigation else "round-robin"
    trace = quietly(**{**TINY, "learning_rate": 1e300}, stages=2, minibatches=30, microbatches=2,
                    schedule=schedule, mitigation=mitigation)
    assert len(trace) > 0
    assert trace.header.training.diverged_at is not None


def test_the_first_minibatch_with_a_loss_that_is_not_finite_is_recorded():
    trace = quietly(**STEEP, stages=2)
    losses = trace.curves["minibatch_loss"]
    first = int(np.flatnonzero(~np.isfinite(losses))[0]) + 1
    assert first > 1
    assert trace.header.training.diverged_at == first


def test_weights_that_are_not_finite_count_before_the_loss_shows_them():
    """The last update overflows and no later loss can tell."""
    steps = 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trace, weights = history(task="quadratic", stages=1, minibatches=steps, momentum=0.0,
                                 learning_rate=1e150, curvatures=[1.0])
    assert np.isfinite(weights[0][1]).all()
    finite = [bool(np.isfinite(w).all()) for w in weights[0]]
    assert not all(finite)
    assert trace.header.training.diverged_at is not None
    assert trace.header.training.diverged_at <= finite.index(False)


def test_a_run_that_stays_finite_says_so():
    assert quietly(**TINY, stages=2, minibatches=5).header.training.diverged_at is None


def test_a_diverged_trace_is_saved_and_loaded(tmp_path):
    from sim.trace import Trace

    trace = quietly(**STEEP, stages=2)
    trace.save(tmp_path / "t.npz")
    again = Trace.load(tmp_path / "t.npz")
    assert again.header.training.diverged_at == trace.header.training.diverged_at
    assert np.array_equal(again.curves["minibatch_loss"], trace.curves["minibatch_loss"],
                          equal_nan=True)
