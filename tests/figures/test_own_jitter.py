"""Draws of the jitter of one's own experiments: each is the run its seed gives."""

import numpy as np
import pytest
from matplotlib.figure import Figure

import sim
from analysis.metrics.timing import timing
from figures.drawing.look import Look
from figures.rows import read_rows
from figures.traces import draws
from figures.traces.jitter import OWN, groups, jitter, values
from figures.traces.wanted import Run, Wanted
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.rows import rows_as_csv
from tests.figures.legible import complaints


def asked(name, sigma=0.3, *, program=None, **pipeline):
    experiment = resolve({"pipeline": {"minibatches": 16, **pipeline},
                          "costs": {"jitter": {"sigma": sigma}} if sigma else {},
                          "training": {"task": "none", "seed": 5}})
    return Run(name, run(experiment, program, training=False), experiment, program)


def test_every_draw_is_the_run_that_its_seed_gives():
    one = asked("one")
    found = draws.draws_of([one], 30)
    assert groups(found) == [("one", "static"), ("one", "greedy")]
    for dispatch in ("static", "greedy"):
        rows = [row for row in found if row["dispatch"] == dispatch]
        assert [row["seed"] for row in rows] == [None, *range(5, 35)]
        for row in rows[1:3]:
            alone = timing(run(one.experiment.changed(
                {"pipeline": {"dispatch": dispatch}, "training": {"seed": row["seed"]}})))
            assert row["makespan_s"] == alone.makespan_s
            assert row["bubble"] == alone.bubble_fraction
            assert 1 / row["step_s"] == pytest.approx(alone.steady_throughput_minibatches_per_s)
    assert values(found, ("one", "static"), "makespan_s")[0] == sim.replicas(
        one.experiment, runs=30).makespan_s.tolist()
    still = values(found, ("one", "static"), "makespan_s")[1]
    assert still == sim.run(one.experiment, jitter={"sigma": 0.0}).end_s.max()
    middle = np.median(values(found, ("one", "static"), "makespan_s")[0])
    assert f"is {middle:.4g} s with fixed order" in OWN.message(found)


def test_a_programs_own_order_and_many_runs_have_one_dispatch():
    given = asked("given", program=asked("x").trace.program())
    assert groups(draws.draws_of([given], 3)) == [("given", "static")]
    several = [asked(f"r{number}", minibatches=9 + number) for number in range(4)]
    assert [dispatch for _, dispatch in groups(draws.draws_of(several, 2))] == ["static"] * 4


def test_long_runs_have_fewer_draws(monkeypatch):
    monkeypatch.setattr(draws, "MOST_ROWS", {"static": 30 * 144, "greedy": 100})
    found = draws.draws_of([asked("one")])  # 144 instructions
    assert [len(values(found, group, "bubble")[0]) for group in groups(found)] == [30]


def test_without_jitter_or_an_experiment_nothing_is_drawn():
    with pytest.raises(sim.ConfigurationError) as refused:
        OWN.rows([asked("still", 0.0), Run("measured", asked("x").trace)], Wanted())
    assert refused.value.lines == [
        "costs.jitter: still has none, so all its runs are alike; set it, e.g. "
        "costs.jitter.sigma=0.1",
        "measured: cannot be run again, so nothing can be drawn; give an experiment file"]


@pytest.mark.parametrize("width_in", [3.33, 7.2])
@pytest.mark.parametrize("count", [1, 3, 8])
def test_it_can_be_read_at_a_columns_and_a_pages_width(count, width_in):
    runs = [asked(f"run-{number}", minibatches=12 + number) for number in range(count)]
    rows, look = draws.draws_of(runs, 4), Look(width_in=width_in)
    with look.worn():
        figure = OWN.draw(rows, look, Wanted())
    assert list(complaints(figure, width_in)) == []
    assert len(figure.axes) == 3
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()][-1].startswith(
        f"run-{count - 1}" if count > 1 else "greedy dispatch")


def test_a_table_with_numbers_for_names_is_drawn_again(tmp_path):
    rows = draws.draws_of([asked("1"), asked("2")], 3)
    (tmp_path / "jitter.csv").write_text(rows_as_csv(rows))
    again, look = read_rows(tmp_path / "jitter.csv"), Look()
    with look.worn():
        figure = OWN.draw(again, look, Wanted())
    assert figure.axes[0].get_yticklabels()[0].get_text() == "1,\nfixed order"
    assert OWN.message(again) == OWN.message(rows)


def test_the_function_draws_on_axes_of_the_callers():
    ax = Figure().subplots()
    assert jitter(asked("x").trace, ax, quantity="bubble", draws=3) is ax
    assert ax.get_xlabel() == "bubble (%)"
    two = jitter([asked("x").experiment, asked("y", 0.1).experiment], Figure().subplots(), draws=2,
                 names=["x", "y"])
    assert two.get_xlabel() == "makespan over that\nwithout jitter (ratio)"
    for wrong, says in (({"quantity": "bubbel"}, r"did you mean bubble\?"),
                        ({"draws": 0}, "at least 1"), ({"names": ["a", "b"]}, "one for each of 1")):
        with pytest.raises(sim.ConfigurationError, match=says):
            jitter(asked("x").experiment, ax, **wrong)
