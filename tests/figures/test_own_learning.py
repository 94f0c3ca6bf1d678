"""Curves of one's own trainings: what is drawn is what the runs had, and it can be read."""

import numpy as np
import pytest
from matplotlib.figure import Figure

import sim
from figures.drawing.colours import COLOURS
from figures.drawing.ends import apart
from figures.drawing.look import Look
from figures.own.inputs import Source
from figures.rows import read_rows
from figures.traces.learning import OWN, learning
from figures.traces.strokes import strokes
from figures.traces.wanted import Run, Wanted
from sim.experiment.configuration import resolve
from sim.rows import rows_as_csv
from sim.spread import POSITIVE, spread_of
from tests.figures.legible import complaints

NARROW = Look(width_in=3.33)
SHORT = {"minibatches": 40, "evaluate_every": 4, "width": 8}


@pytest.fixture(scope="module")
def runs():
    return [Run(f"run-{number}", sim.run(mitigation=name, learning_rate=0.05 + 0.01 * number,
                                          **SHORT))
            for number, name in enumerate(("none", "stash", "spectrain", "nwpt", "none", "none"))]


def drawn(some, look=NARROW, wanted=None):
    wanted = wanted or Wanted()
    rows = OWN.rows(some, wanted)
    with look.worn():
        return rows, OWN.draw(rows, look, wanted)


def labelled(axis):
    return {line.get_label(): line for line in axis.lines if not line.get_label().startswith("_")}


@pytest.mark.parametrize("width_in", [3.33, 7.2])
@pytest.mark.parametrize("count", [1, 3, 6])
def test_it_can_be_read_at_a_columns_and_a_pages_width(runs, count, width_in):
    _, figure = drawn(runs[:count], Look(width_in=width_in))
    assert list(complaints(figure, width_in)) == []
    assert len(figure.axes) == 3


def test_curves_are_the_evaluations_of_the_run(runs):
    rows, figure = drawn(runs[:2])
    curves = runs[0].trace.curves
    line = labelled(figure.axes[0])["run-0"]
    assert line.get_xdata().tolist() == curves["evaluated_minibatch"].tolist()
    assert line.get_ydata().tolist() == curves["training_loss"].tolist()
    assert OWN.message(rows).startswith("Loss over the training set at the end: ")


def test_of_many_three_are_in_colour_and_every_end_is_named(runs):
    _, figure = drawn(runs)
    for axis in figure.axes:
        lines = labelled(axis)
        grey = [name for name, line in lines.items() if line.get_color() == COLOURS["faint"]]
        assert len(lines) == 6
        assert len(grey) == 3
        assert "run-0" not in grey
        names = {text.get_text() for text in axis.texts if text.get_text()}
        assert names == set(lines)


def test_runs_that_differ_in_their_seed_are_one_curve_with_its_spread(runs):
    seeds = [Run(f"mine-{seed}", sim.run(seed=seed, **SHORT)) for seed in range(4)]
    rows, figure = drawn([*seeds, runs[1]])
    axis = figure.axes[0]
    lines = labelled(axis)
    assert set(lines) == {"mine, 4 seeds", "run-1"}
    losses = [run.trace.curves["training_loss"] for run in seeds]
    assert lines["mine, 4 seeds"].get_ydata() == pytest.approx(np.mean(losses, axis=0))
    last = spread_of([loss[-1] for loss in losses], POSITIVE)
    band = axis.collections[0].get_paths()[0].vertices
    assert set(last.ci95) <= set(band[band[:, 0] == 40, 1])
    assert f"{last.mean:.2g} (mine, 4 seeds)" in OWN.message(rows)
    assert any("mean, and the 95 %" in text.get_text() for text in figure.texts)
    twice = [Run("a", seeds[0].trace), Run("b", seeds[0].trace)]
    assert set(labelled(drawn(twice)[1].axes[0])) == {"a", "b"}


def test_a_window_in_seconds_is_drawn_over_seconds(runs):
    rows, figure = drawn(runs[:1], wanted=Wanted(from_s=30.0, to_s=60.0))
    assert {30.0 <= row["second"] <= 60.0 for row in rows} == {True}
    assert [axis.get_xlabel() for axis in figure.axes] == ["", "", "time (s)"]
    with pytest.raises(sim.ConfigurationError, match="run-0 has no point in the window"):
        drawn(runs[:1], wanted=Wanted(from_s=1e6))


def test_what_was_never_evaluated_shows_the_losses_of_its_minibatches(runs):
    plain = sim.run(minibatches=500, width=8)
    rows, figure = drawn([Run("plain", plain), runs[0]])
    assert [axis.get_ylabel() for axis in figure.axes] == ["loss of a mini-batch"]
    mine = [row for row in rows if row["run"] == "plain"]
    assert len(mine) == 200
    first = plain.curves["minibatch_loss"][:3]
    assert mine[0]["minibatch_loss"] == pytest.approx(first.mean())
    assert mine[-1]["minibatch"] == 500


def test_an_experiment_that_does_not_say_is_evaluated_on_the_way():
    found = Source("mine", None, resolve({"pipeline": {"minibatches": 40}}))
    run = found.run(training=True, evaluated=OWN.evaluated)
    assert run.trace.curves["evaluated_minibatch"].tolist() == list(range(2, 41, 2))
    plain = found.run(training=True)
    assert (run.trace.curves["minibatch_loss"] == plain.trace.curves["minibatch_loss"]).all()
    said = Source("mine", None, resolve({"pipeline": {"minibatches": 40},
                                         "training": {"evaluate_every": 20}}))
    assert said.run(True, evaluated=True).trace.curves["evaluated_minibatch"].tolist() == [20, 40]


def test_a_run_that_diverged_is_marked_where_its_numbers_end(runs):
    wild = sim.run(task="quadratic", learning_rate=100.0, momentum=0.0, minibatches=400,
                   evaluate_every=4)
    fine = sim.run(task="quadratic", learning_rate=0.5, minibatches=400, evaluate_every=4)
    assert wild.header.training.diverged_at is not None
    rows, figure = drawn([Run("fine", fine), Run("wild", wild)])
    assert f"wild diverged at mini-batch {wild.header.training.diverged_at}" in OWN.message(rows)
    crosses = [line for line in figure.axes[0].lines if line.get_marker() == "x"]
    finite = [row for row in rows if row["run"] == "wild" and row["training_loss"] is not None]
    assert [line.get_xdata().tolist() for line in crosses] == [[finite[-1]["minibatch"]]]
    top = figure.axes[0].get_ylim()[1]
    assert top < 1e4 < finite[-1]["training_loss"]
    assert crosses[0].get_ydata().tolist() == [top]
    assert list(complaints(figure, NARROW.width_in)) == []


def test_runs_that_trained_nothing_are_refused(runs):
    with pytest.raises(sim.ConfigurationError, match="idle trained nothing"):
        drawn([runs[0], Run("idle", sim.run(minibatches=12, task="none"))])


def test_a_table_with_numbers_for_names_is_drawn_again(runs, tmp_path):
    rows = OWN.rows([Run("1", runs[0].trace), Run("2", runs[1].trace)], Wanted())
    (tmp_path / "learning.csv").write_text(rows_as_csv(rows))
    with NARROW.worn():
        figure = OWN.draw(read_rows(tmp_path / "learning.csv"), NARROW, Wanted())
    assert set(labelled(figure.axes[0])) == {"1", "2"}


def test_the_function_draws_on_axes_of_the_callers(runs):
    ax = Figure().subplots()
    traces = [run.trace for run in runs[:3]]
    assert learning(traces, ax, quantity="accuracy", along="second") is ax
    assert set(labelled(ax)) == {"none", "stash", "spectrain"}
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (s)", "validation accuracy")
    assert set(labelled(learning(traces[:1] * 2, Figure().subplots()))) == {"none", "none #2"}
    for wrong, says in (({"quantity": "acuracy"}, r"did you mean accuracy\?"),
                        ({"along": "seconds"}, r"did you mean second\?"),
                        ({"names": ["one"]}, "a different one for each of 3 traces")):
        with pytest.raises(sim.ConfigurationError, match=says):
            learning(traces, ax, **wrong)


def test_methods_look_as_everywhere_and_others_as_none_of_them():
    def run(mitigation, schedule="round-robin"):
        return {"mitigation": mitigation, "schedule": schedule, "microbatches": 1}

    found = strokes([run("stash"), run("stash"), run("timeprest", "nf1b"), run("mine")])
    assert found[0] == ("#E69F00", "-", "s")
    assert found[2] == ("#882255", "--", "<")
    assert len(set(found)) == 4


def test_names_are_moved_apart_no_further_than_they_must():
    assert apart(np.array([5.0, 5.0, 20.0]), 4.0, 0.0, 30.0).tolist() == [3.0, 7.0, 20.0]
    assert apart(np.array([29.0, 30.0]), 4.0, 0.0, 30.0).tolist() == [26.0, 30.0]
    assert apart(np.array([1.0, 1.0, 1.0]), 4.0, 0.0, 6.0).tolist() == [0.0, 4.0, 8.0]
