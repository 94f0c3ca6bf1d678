"""Each mitigation on the quadratic equals its recurrence written by hand."""

import math

import numpy as np
import pytest

from sim.order.program import Program
from sim.order.shape import PipelineShape
from tests.oracles import quadratic
from tests.sim.experiments import history

CURVATURES = [0.3, 1.0, 2.5]
ETA, UPDATES, STAGES = 0.08, 30, 4
RUN = {"task": "quadratic", "schedule": "round-robin", "stages": STAGES,
       "minibatches": UPDATES, "curvatures": CURVATURES, "learning_rate": ETA}
MOMENTA = pytest.mark.parametrize(("momentum", "convention"), [
    (0.0, "ema"), (0.9, "ema"), (0.9, "heavy-ball")])


def simulated(**keys) -> np.ndarray:
    """Weights by stage, version and curvature."""
    return np.array(history(**RUN, **keys)[1])


def expected(make, momentum: float = 0.0, convention: str = "ema") -> np.ndarray:
    """The same from `make(curvature, stage, delay)`."""
    return np.array([[quadratic.descend(make(c, k, STAGES - 1 - k), UPDATES, ETA, momentum,
                                        convention == "ema") for c in CURVATURES]
                     for k in range(STAGES)]).transpose(0, 2, 1)


def close(one, other) -> bool:
    return np.allclose(one, other, rtol=1e-11, atol=1e-13)


@MOMENTA
@pytest.mark.parametrize("backward", ["graph", "recompute"])
def test_stash_descends_along_the_stale_gradient(momentum, convention, backward):
    found = simulated(mitigation="stash", momentum=momentum, convention=convention,
                      backward=backward)
    make = lambda c, k, delay: quadratic.stale(c, delay)  # noqa: E731
    assert close(found, expected(make, momentum, convention))


@MOMENTA
def test_none_descends_along_the_forwards_gradient_under_graph(momentum, convention):
    keys = {"momentum": momentum, "convention": convention}
    make = lambda c, k, delay: quadratic.stale(c, delay)  # noqa: E731
    assert close(simulated(mitigation="none", **keys), expected(make, momentum, convention))


@MOMENTA
def test_none_descends_along_the_newest_gradient_under_recompute(momentum, convention):
    keys = {"momentum": momentum, "convention": convention}
    make = lambda c, k, delay: quadratic.latest(c)  # noqa: E731
    assert close(simulated(mitigation="none", backward="recompute", **keys),
                 expected(make, momentum, convention))


@MOMENTA
def test_vertical_sync_delays_every_stage_like_the_first(momentum, convention):
    keys = {"momentum": momentum, "convention": convention}
    make = lambda c, k, delay: quadratic.stale(c, STAGES - 1)  # noqa: E731
    assert close(simulated(mitigation="vertical-sync", **keys),
                 expected(make, momentum, convention))


@MOMENTA
@pytest.mark.parametrize("decay", [0.1, 1.0, 3.0])
def test_interpolation_mixes_stale_and_newest_under_recompute(momentum, convention, decay):
    found = simulated(mitigation={"name": "i-timeprest", "decay": decay}, momentum=momentum,
                      convention=convention, backward="recompute")
    share = quadratic.exponential(decay)
    make = lambda c, k, delay: quadratic.interpolated(c, delay, share)  # noqa: E731
    assert close(found, expected(make, momentum, convention))


def test_reciprocal_interpolation_gives_the_stale_one_over_one_plus_gap():
    found = simulated(mitigation={"name": "i-timeprest", "weighting": "reciprocal"},
                      momentum=0.0, backward="recompute")
    make = lambda c, k, delay: quadratic.interpolated(c, delay, lambda d: 1 / (1 + d))  # noqa: E731
    assert close(found, expected(make))


def test_the_gap_of_an_interpolation_is_to_the_newest_weights_at_that_moment():
    """Two backwards before the next update: both see one update more than their forwards."""
    program = Program.parse("0F0,0F1,0F2,0B0,0U0,0B1,0B2,0U1,0U2\n", PipelineShape(1, 3))
    _, weights = history(program, task="quadratic", schedule="file", stages=1, minibatches=3,
                         learning_rate=ETA, momentum=0.0, backward="recompute",
                         mitigation="i-timeprest")
    old, new = 1.0, 1.0 - ETA
    step = ETA * (math.exp(-1) * old + (1 - math.exp(-1)) * new)
    assert close(np.concatenate(weights[0]), [old, new, new - step, new - 2 * step])


def test_interpolation_changes_nothing_on_the_quadratic_under_graph():
    interpolated = simulated(mitigation="i-timeprest", momentum=0.9)
    assert np.array_equal(interpolated, simulated(mitigation="stash", momentum=0.9))


@MOMENTA
@pytest.mark.parametrize("name", ["spectrain", "spectrain-stashed"])
def test_prediction_by_updates_descends_along_the_forwards_prediction(momentum, convention, name):
    found = simulated(mitigation={"name": name, "horizon": "update"}, momentum=momentum,
                      convention=convention)
    make = lambda c, k, delay: quadratic.predicted(c, delay, ETA)  # noqa: E731
    assert close(found, expected(make, momentum, convention))


@MOMENTA
def test_prediction_by_time_units_uses_the_papers_horizon(momentum, convention):
    found = simulated(mitigation="spectrain", momentum=momentum, convention=convention)
    make = lambda c, k, delay: quadratic.predicted(  # noqa: E731
        c, delay, ETA, k // 2 + STAGES - k - 1)
    assert close(found, expected(make, momentum, convention))


@MOMENTA
def test_a_recomputed_backward_predicts_afresh_from_the_newest(momentum, convention):
    found = simulated(mitigation="spectrain", momentum=momentum, convention=convention,
                      backward="recompute")
    make = lambda c, k, delay: quadratic.predicted_afresh(c, ETA, k // 2)  # noqa: E731
    assert close(found, expected(make, momentum, convention))


def test_a_stashed_prediction_is_the_forwards_one_under_recompute_too():
    keys = {"mitigation": "spectrain-stashed", "momentum": 0.9}
    assert np.array_equal(simulated(**keys), simulated(**keys, backward="recompute"))


def test_nwpt_looks_one_momentum_step_ahead():
    found = simulated(mitigation="nwpt", momentum=0.9, convention="heavy-ball")

    def make(c, k, delay):
        return lambda w, v, i: c * (w[max(0, i - delay)] - ETA * 0.9 * v[max(0, i - delay)])

    assert close(found, expected(make, 0.9, "heavy-ball"))


def test_a_prediction_uses_the_rate_of_the_moment_it_is_made():
    found = simulated(mitigation={"name": "spectrain", "horizon": "update"}, momentum=0.9,
                      rate_schedule={"name": "step", "every": 10, "factor": 0.5})
    for k in range(STAGES):
        w, v = [1.0], [0.0]
        for i in range(UPDATES):
            old = max(0, i - (STAGES - 1 - k))
            then, now = (ETA * 0.5 ** (version // 10) for version in (old, i))
            v.append(0.9 * v[-1] + 0.1 * 2.5 * (w[old] - (i - old) * then * v[old]))
            w.append(w[-1] - now * v[-1])
        assert close(found[k, :, 2], w)


def test_the_learning_rate_schedule_is_applied_by_update():
    found = simulated(mitigation="stash", momentum=0.0,
                      rate_schedule={"name": "step", "every": 10, "factor": 0.5})
    for k in range(STAGES):
        weights = [1.0]
        for i in range(UPDATES):
            rate = ETA * 0.5 ** (i // 10)
            weights.append(weights[-1] - rate * 2.5 * weights[max(0, i - (STAGES - 1 - k))])
        assert close(found[k, :, 2], weights)
