"""Stability edges: by roots, by the unit circle's own curve, and as the simulator shows them."""

import csv
import json

import numpy as np
import pytest
from click.testing import CliRunner

from analysis.__main__ import main
from analysis.theory.growth import fitted_growth
from analysis.theory.measured_edge import measure, place
from analysis.theory.recurrence import FORMS, DelayedTraining, growth
from analysis.theory.stability import delayed_training, edge, theory
from sim.errors import ConfigurationError

pytestmark = pytest.mark.filterwarnings("error")  # whatever a door warns of, a user would read

PAIRS = [(momentum, convention) for momentum in (0.0, 0.9) for convention in ("ema", "heavy-ball")]


def on_the_circle(training: DelayedTraining) -> float:
    """The least x > 0 at which z = exp(iθ) is a root, for some θ: no root finding in it.

    The recurrence at w[t] = z^t gives x(θ) = −(z − 1 − γ + γ/z) / (β·Σ p_j·z^−j), wanted real.
    """
    theta = np.pi * np.linspace(1e-5, 1.0, 60_001)
    z = np.exp(1j * theta)
    below = training.gradient_share * sum(p * z**-j for j, p in enumerate(training.reads))
    x = -(z - 1 - training.momentum + training.momentum / z) / below
    turns = np.flatnonzero(np.diff(np.sign(x.imag)) != 0)
    share = x.imag[turns] / (x.imag[turns] - x.imag[turns + 1])
    real = x.real[turns] + share * (x.real[turns + 1] - x.real[turns])
    smooth = np.abs(np.diff(x.real)[turns]) < 0.1 * np.abs(real)  # else a pole, not a crossing
    found = [*real[smooth & (real > 0)], *(x.real[-1:] if x.real[-1] > 0 else [])]
    return float(min(found))


@pytest.mark.parametrize("delay", range(8))
def test_plain_delay_has_the_closed_edge(delay):
    training = delayed_training("stash", delay, 0.0, "heavy-ball")
    assert edge(training) == pytest.approx(2 * np.sin(np.pi / (4 * delay + 2)), rel=1e-12)


@pytest.mark.parametrize(("mitigation", "momentum", "known"), [
    ("stash", 0.0, 1.0), ("spectrain", 0.0, (np.sqrt(5) - 1) / 2), ("stash", 0.9, 0.1),
    ("spectrain", 0.9, 0.270)])
def test_prediction_lowers_the_edge_without_momentum_and_raises_it_with(mitigation, momentum,
                                                                        known):
    training = delayed_training(mitigation, 1, momentum, "heavy-ball")
    assert edge(training) == pytest.approx(known, rel=1e-3)


@pytest.mark.parametrize("mitigation", FORMS)
@pytest.mark.parametrize("momentum", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("delay", [0, 1, 2, 3, 5, 8])
def test_edge_is_the_first_point_of_the_unit_circles_curve(mitigation, momentum, delay):
    training = delayed_training(mitigation, delay, momentum, "ema")
    assert edge(training) == pytest.approx(on_the_circle(training), rel=1e-4)


def test_conventions_differ_by_a_factor_of_the_rate():
    for mitigation in FORMS:
        ema, heavy = (edge(delayed_training(mitigation, 3, 0.8, c)) for c in ("ema", "heavy-ball"))
        assert 0.2 * ema == pytest.approx(heavy, rel=1e-10)


def test_interpolation_runs_from_stash_to_fresh():
    def at(decay: float) -> float:
        return edge(delayed_training("i-timeprest", 4, 0.5, "ema", decay=decay))

    stash, fresh = (edge(delayed_training("stash", delay, 0.5, "ema")) for delay in (4, 0))
    assert at(0.0) == pytest.approx(stash, rel=1e-10)
    assert at(np.inf) == pytest.approx(fresh, rel=1e-10)


def test_stability_ends_at_the_edge_and_holds_everywhere_below():
    for row in theory(FORMS, (0, 3, 7), (0.0, 0.9), "ema"):
        training = delayed_training(*(row[key] for key in (
            "mitigation", "delay", "momentum", "convention")))
        below = row["edge_roots"] * np.linspace(1e-3, 0.9999, 500)
        assert (growth(training, below) < 1).all()
        assert growth(training, np.array([1.0001 * row["edge_roots"]]))[0] > 1


@pytest.mark.parametrize("mitigation", ["none", "stash", "spectrain"])
@pytest.mark.parametrize(("momentum", "convention"), PAIRS)
def test_simulated_edges_are_the_roots(mitigation, momentum, convention):
    trainings = [delayed_training(mitigation, delay, momentum, convention)
                 for delay in (0, 1, 4, 7)]
    for training, measured in zip(trainings, measure(trainings), strict=True):
        assert measured == pytest.approx(edge(training), rel=0.02), training


@pytest.mark.parametrize(("mitigation", "delay", "options"), [
    ("i-timeprest", 2, {}), ("i-timeprest", 3, {"decay": 0.3}), ("nwpt", 2, {}),
    ("vertical-sync", 3, {}), ("spectrain-stashed", 2, {}), ("spectrain", 1, {"horizon": 3.0})])
def test_the_other_forms_are_simulated_too(mitigation, delay, options):
    training = delayed_training(mitigation, delay, 0.9, "heavy-ball", **options)
    assert measure([training])[0] == pytest.approx(edge(training), rel=0.02)


def test_a_horizon_no_schedule_gives_is_not_measured():
    training = delayed_training("spectrain", 3, 0.9, "ema", horizon=1.0)
    assert place(training, 3) is None
    assert measure([training]) == [None]


def test_growth_is_fitted_through_oscillation_and_overflow():
    t = np.arange(1000)[:, None]
    with np.errstate(over="ignore", under="ignore"):
        weights = np.array([0.5, 0.99, 1.001, 9.0]) ** t * np.cos(0.3 * t)
    weights[600:, 3] = np.nan
    assert fitted_growth(weights) == pytest.approx([0.5, 0.99, 1.001, 9.0], rel=1e-2)


@pytest.mark.parametrize(("given", "said"), [
    (("stash", -1, 0.9, "ema"), "delay: 0 to 64 updates, got -1"),
    (("stash", 1, 1.0, "ema"), "momentum: 0 to 0.999, got 1.0"),
    (("stash", 1, float("nan"), "ema"), "momentum"),
    (("stash", 1, 0.9, "EMA"), "choose from ema, heavy-ball"),
    (("stahs", 1, 0.9, "ema"), "did you mean stash?"),
    (("stash", 1, 0.9, "ema", 2.0), "it belongs to spectrain, spectrain-stashed"),
    (("stash", 1, 0.9, "ema", None, 2.0), "decay: stash takes none; it belongs to i-timeprest"),
    (("i-timeprest", 1, 0.9, "ema", None, -1.0), "decay: 0 or more")])
def test_mistakes_are_told(given, said):
    with pytest.raises(ConfigurationError) as told:
        delayed_training(*given)
    assert said in str(told.value)
    assert len(told.value.problems) == 1


def test_all_mistakes_are_told_at_once():
    with pytest.raises(ConfigurationError) as told:
        delayed_training("no", -1, 2.0, "no")
    assert len(told.value.problems) == 4


def ask(*arguments: object):
    return CliRunner().invoke(main, ["stability", *map(str, arguments)])


def test_the_door_gives_both_edges():
    found = json.loads(ask("--mitigation", "spectrain", "--delay", 1, "--momentum", 0.9,
                           "--convention", "heavy-ball", "--json").stdout)
    assert list(found) == ["mitigation", "delay", "momentum", "convention", "horizon",
                           "stale_share", "backward", "edge_roots", "edge_measured",
                           "relative_difference"]
    assert found["edge_roots"] == pytest.approx(0.270, rel=1e-3)
    assert found["edge_measured"] == pytest.approx(found["edge_roots"], rel=0.02)
    assert (found["horizon"], found["backward"]) == (1.0, "graph")


def test_the_door_writes_rows(tmp_path):
    shown = ask("--delay", 0, "--out", tmp_path / "edges.csv")
    assert shown.exit_code == 0, shown.output
    (row,) = csv.DictReader((tmp_path / "edges.csv").read_text().splitlines())
    assert float(row["edge_roots"]) == pytest.approx(38.0)


@pytest.mark.parametrize(("arguments", "said"), [
    (("--mitigation", "stahs"), "did you mean stash?"),
    (("--delay", "-3"), "delay: 0 to 64"),
    (("--grid", "--delay", "3"), "leave out --delay")])
def test_the_door_refuses_in_one_line(arguments, said, tmp_path):
    result = ask(*arguments, "--out", tmp_path / "edges.csv")
    assert result.exit_code == 2
    assert said in result.output
    assert result.output.count("\n") == 1
    assert not list(tmp_path.iterdir())
