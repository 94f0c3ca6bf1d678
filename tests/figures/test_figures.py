"""Figures: data that says what the papers say, files that carry it."""

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from figures import gantt, rates, stability, staleness
from figures.__main__ import _Bare, draw
from figures.splice import splice
from figures.style import as_csv, new_figure, save


def test_timeline_data_is_the_round_trip_of_minibatch_4() -> None:
    rows = gantt.data()
    trip = sorted((r for r in rows if r["round_trip"] and r["panel"].startswith("3")),
                  key=lambda r: r["round_trip"])
    assert [(r["gpu"], r["op"], r["time_unit"]) for r in trip] == [
        (0, "F", 4), (1, "F", 5), (2, "F", 5), (2, "B", 5), (1, "B", 6), (0, "B", 6)]
    single = [r for r in rows if r["panel"] == "single GPU"]
    assert all(r["time_unit"] == r["minibatch"] for r in single)


def test_timeline_picture_writes_the_versions_and_arrows() -> None:
    figure = gantt.draw(gantt.data())
    pipeline = figure.axes[1]
    labels = [t.get_text() for t in pipeline.texts if t.get_text().startswith("$W")]
    assert labels == ["$W_4$", "$W_5$", "$W_5$", "$W_5$", "$W_6$", "$W_6$"]
    arrows = [p for p in pipeline.patches if type(p).__name__ == "FancyArrowPatch"]
    assert len(arrows) == 4


def test_staleness_data_has_every_method_stage_and_curve(monkeypatch) -> None:
    short = staleness.experiment(3).model_dump(exclude_unset=True)
    short["pipeline"]["minibatches"] = 80
    from sim.configuration import resolve
    monkeypatch.setattr(staleness, "experiment", lambda stages: resolve(short))
    rows = staleness.data(3, range(1))
    assert {r["method"] for r in rows} == {method for method, *_ in staleness.METHODS}
    lag = {(r["method"], r["pass"], r["stage"]): r["value"] for r in rows
           if r["quantity"] == "version lag (updates)"}
    assert [lag["none", "forward", k] for k in range(3)] == [2, 1, 0]
    assert [lag["vertical-sync", "backward", k] for k in range(3)] == [2, 2, 2]
    assert [lag["sequential", "forward", k] for k in range(3)] == [0, 0, 0]
    assert {r["minibatch"] for r in rows if r["quantity"] == "accuracy"} == {40, 80}
    assert len(staleness.draw(rows).get_axes()) == 6


def test_rates_table_says_how_many_seeds_diverged() -> None:
    fields = {"seeds": 5, "final_loss_sd": 0.1, "accuracy": 0.9, "accuracy_sd": 0.01,
              "final_loss_ci95_low": 0.4, "final_loss_ci95_high": 0.6, "diverged": 0,
              "excess_loss": 0.0}
    rows = [{"rate": rate, "method": method, "final_loss": 0.5, **fields}
            for method, *_ in rates.METHODS for rate in rates.RATES]
    rows[0] |= {"final_loss": None, "diverged": 2}
    text = rates.markdown(rows, "command")
    assert "diverged (2 of 5)" in text
    assert text.count("0.5 ± 0.1 [0.4, 0.6] (90.0 %)") == len(rows) - 1
    for row in rows:
        row |= {"seeds": 1, "final_loss_ci95_low": None, "final_loss_ci95_high": None}
    assert rates.markdown(rows, "command").count("| 0.5 (90.0 %) |") > 0
    assert "±" not in rates.markdown(rows, "command")


def test_stability_figure_has_a_map_a_mitigation_and_both_edges(monkeypatch) -> None:
    monkeypatch.setattr(stability, "MOMENTA", (0.0,))
    monkeypatch.setattr(stability, "STEPS", (0.0, 0.9))
    rows = stability.data()
    assert len(rows) == len(stability.NAMES) * 2 * 8
    both = [r for r in rows if r["edge_measured"] is not None]
    assert {r["momentum"] for r in both} == {0.0}
    assert all(r["edge_measured"] == pytest.approx(r["edge_roots"], rel=0.02) for r in both)
    monkeypatch.setattr(stability, "MOMENTA", (0.0, 0.9))
    figure = stability.draw(rows)
    figure.canvas.draw()
    assert len(figure.get_axes()) == 7
    written = [text.get_text() for text in figure.get_axes()[0].texts]
    assert written[:3] == ["2", "1", "0.62"]


def test_saved_files_carry_data_and_command(tmp_path) -> None:
    rows = [{"x": 1, "y": 0.1}, {"x": 2, "y": None}]
    written = save(new_figure(2, 2), rows, tmp_path, "probe", "python -m figures probe")
    assert [p.suffix for p in written] == [".png", ".svg", ".csv"]
    assert Image.open(written[0]).info["Description"] == "python -m figures probe"
    assert "python -m figures probe" in written[1].read_text()
    assert list(csv.DictReader(written[2].open())) == [{"x": "1", "y": "0.1"},
                                                      {"x": "2", "y": ""}]
    assert as_csv([]) == "\n" or as_csv([]) == ""


def test_same_data_gives_same_bytes(tmp_path) -> None:
    rows = gantt.data()
    first, second = (save(gantt.draw(rows), rows, tmp_path / n, "t", "c") for n in "ab")
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]


@pytest.mark.parametrize("arguments", [["nothing"], []])
def test_unknown_figures_are_refused_with_choices(arguments: list[str]) -> None:
    result = CliRunner().invoke(_Bare(commands={"draw": draw}), arguments)
    assert result.exit_code == 2
    assert not arguments or ("choose from timeline, staleness, rates, stability, advice, all"
                             in result.output)


def test_readme_shows_the_gallerys_tables() -> None:
    """The README's table is the one made from the data beside the pictures."""
    gallery, readme = Path("figures/gallery"), Path("README.md").read_text()
    text = gallery.joinpath("rates.md").read_text()
    assert f"<!-- rates -->\n{text}<!-- /rates -->" in readme
    rows = [{k: v if k == "method" else float(v) if v else None for k, v in row.items()}
            for row in csv.DictReader(gallery.joinpath("rates.csv").open())]
    made = rates.markdown([r | {"seeds": int(r["seeds"]), "diverged": int(r["diverged"])}
                           for r in rows], text.split("`")[1])
    assert made == text


def test_splice_wants_its_markers(tmp_path) -> None:
    path = tmp_path / "d.md"
    path.write_text("a\n<!-- t -->\nold\n<!-- /t -->\nb\n")
    splice(path, "t", "new\n")
    assert path.read_text() == "a\n<!-- t -->\nnew\n<!-- /t -->\nb\n"
    with pytest.raises(ValueError, match="no markers"):
        splice(path, "u", "")
