"""Where delayed gradient descent stops converging, against the theory's edge."""

import numpy as np
import pytest

from tests.sim.experiments import history

STAGES, UPDATES, ETA = 8, 800, 0.5
AROUND = np.linspace(0.90, 1.10, 9)


def edge(delay: int) -> float:
    """Gradient descent on ½λw² with this delay is stable below this ηλ (PipeMare, Lemma 1)."""
    return 2 * np.sin(np.pi / (4 * delay + 2))


def growth(polynomial: np.ndarray) -> float:
    """Growth per update of the slowest mode of a recurrence."""
    return float(np.abs(np.roots(polynomial)).max())


def delayed(delay: int, rate_times_curvature: float) -> np.ndarray:
    """z^(τ+1) − z^τ + ηλ."""
    polynomial = np.zeros(delay + 2)
    polynomial[0] += 1
    polynomial[1] -= 1
    polynomial[-1] += rate_times_curvature
    return polynomial


def fitted(weights: np.ndarray) -> np.ndarray:
    """Growth per update of each column of weights (version, curvature)."""
    windows = np.lib.stride_tricks.sliding_window_view(weights, 60, axis=0)
    norm = np.log(np.linalg.norm(windows, axis=-1))
    late = norm[len(norm) // 3 :]
    return np.exp(np.polyfit(np.arange(len(late)), late, 1)[0])


def crossing(at: np.ndarray, rates: np.ndarray) -> float:
    """Where the rates pass 1, by interpolation."""
    assert np.all(np.diff(rates) > 0)
    assert rates[0] < 1 < rates[-1]
    return float(np.interp(1.0, rates, at))


DELAYS = [1, 3, 7]
GRID = np.concatenate([edge(delay) * AROUND for delay in DELAYS])


@pytest.fixture(scope="module")
def weights():
    """Weights by (stage, version, curvature): stage k has delay 7 − k."""
    _, history_ = history(task="quadratic", schedule="round-robin", stages=STAGES,
                          minibatches=UPDATES, mitigation="stash", momentum=0.0,
                          learning_rate=ETA, curvatures=(GRID / ETA).tolist(), distances=False)
    return np.array(history_)


@pytest.mark.parametrize("delay", range(8))
def test_the_closed_edge_is_where_a_root_leaves_the_unit_circle(delay):
    assert growth(delayed(delay, 0.999 * edge(delay))) < 1 < growth(
        delayed(delay, 1.001 * edge(delay)))


@pytest.mark.parametrize("number", range(len(DELAYS)))
def test_the_simulated_edge_is_the_theorys(weights, number):
    delay, columns = DELAYS[number], slice(number * len(AROUND), (number + 1) * len(AROUND))
    rates = fitted(weights[STAGES - 1 - delay][:, columns])
    assert crossing(GRID[columns], rates) == pytest.approx(edge(delay), rel=1e-4)


@pytest.mark.parametrize("number", range(len(DELAYS)))
def test_simulated_growth_is_that_of_the_largest_root(weights, number):
    delay, columns = DELAYS[number], slice(number * len(AROUND), (number + 1) * len(AROUND))
    rates = fitted(weights[STAGES - 1 - delay][:, columns])
    roots = [growth(delayed(delay, x)) for x in GRID[columns]]
    assert rates == pytest.approx(roots, abs=2e-5)


def edge_of_two_stages(around: float, momentum: float, mitigation: str) -> float:
    """Simulated edge on the first of two stages (delay 1), heavy ball."""
    at = around * AROUND
    _, simulated = history(task="quadratic", stages=2, minibatches=UPDATES, momentum=momentum,
                           convention="heavy-ball", learning_rate=ETA, mitigation=mitigation,
                           curvatures=(at / ETA).tolist(), distances=False)
    return crossing(at, fitted(np.array(simulated[0])))


@pytest.mark.parametrize(("momentum", "mitigation", "known"), [
    (0.0, "stash", 1.0), (0.0, "spectrain-stashed", 0.618),
    (0.9, "stash", 0.1), (0.9, "spectrain-stashed", 0.270)])
def test_prediction_lowers_the_edge_without_momentum_and_raises_it_with(momentum, mitigation,
                                                                        known):
    assert edge_of_two_stages(known, momentum, mitigation) == pytest.approx(known, rel=2e-3)
