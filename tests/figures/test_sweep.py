"""Pictures of a sweep's table: columns by short names, means and spreads, scales, the door."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from click.testing import CliRunner, Result
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import figures
from figures.__main__ import main
from figures.drawing.look import Look
from figures.origin import read_origin
from figures.rows import read_rows
from figures.sweeps import drawing, points, words
from sim.errors import ConfigurationError
from sim.rows import Rows, rows_as_csv
from tests.figures.legible import complaints

pytestmark = pytest.mark.filterwarnings("error")
RATES, NAMES = (0.01, 0.1, 1.0), ("none", "stash")


def grid() -> Iterator[dict[str, Any]]:
    for number, (rate, name) in enumerate((r, n) for r in RATES for n in NAMES):
        yield {"point": number, "training.learning_rate": rate, "pipeline.mitigation": name,
               "error": None, "stages": 2, "makespan_s": 10.0 * rate, "diverged": rate == 1.0,
               "final_loss": None if (rate, name) == (1.0, "stash") else 0.02 / rate,
               "final_loss_sd": 0.001 / rate, "bubble_fraction": 0.25, "dispatch": "static",
               "staleness.forward.0": 1.0, "staleness.forward.1": 0.0}


def drawn(rows: Rows, **keys: str) -> Axes:
    return figures.sweep(rows, Figure().subplots(), **keys)


def test_a_line_for_each_value_and_bars_over_seeds() -> None:
    axis = drawn(list(grid()), x="learning_rate", y="final_loss", by="mitigation")
    none, stash = (line for line in axis.lines if str(line.get_label()) in NAMES)
    assert list(none.get_xdata()) == list(RATES)
    assert list(none.get_ydata()) == pytest.approx([2.0, 0.2, 0.02])
    assert list(stash.get_xdata()) == list(RATES[:2])
    assert len(axis.containers) == 2
    assert (axis.get_xscale(), axis.get_yscale()) == ("log", "log")
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("learning rate", "final loss")
    crosses = [line for line in axis.lines if line.get_marker() == "x"]
    assert [line.get_xdata()[0] for line in crosses] == [1.0]
    assert axis.get_xlim()[1] > 1.0


def test_a_mitigation_has_its_colour_of_everywhere() -> None:
    from figures.drawing.colours import COLOURS
    from figures.methods import NAMED

    axis = drawn(list(grid()), x="learning_rate", y="final_loss", by="mitigation")
    assert [line.get_color() for line in axis.lines if str(line.get_label()) in NAMES] == [
        COLOURS[NAMED[name].colour] for name in NAMES]


def test_other_keys_are_a_mean_in_a_band() -> None:
    rows = [{**row, "final_loss": 1.0 + (row["pipeline.mitigation"] == "none"),
             "final_loss_sd": None} for row in grid()]
    found = drawing.rows_of(rows, "learning_rate", "final_loss", None)
    assert [(row["y"], row["low"], row["high"], row["points"]) for row in found] == [
        (1.5, 1.0, 2.0, 2)] * 3
    assert drawing.note(found).startswith("line: mean over pipeline.mitigation; band: lowest")
    axis = drawn(rows, x="learning_rate", y="final_loss")
    assert len(axis.collections) == 1
    assert axis.get_yscale() == "linear"


def test_a_random_search_is_points_and_not_lines() -> None:
    rows = [{"point": n, "costs.rate": 0.1 * n + 1, "pipeline.width": 7 * n % 5, "error": None,
             "loss": n} for n in range(9)]
    assert all(line.get_linestyle() == "None" for line in drawn(rows, x="rate", y="loss").lines)
    found = drawing.rows_of(rows, "rate", "loss", None)
    assert "points differ in pipeline.width too" in drawing.note(found)


def test_a_key_with_many_numbers_has_a_scale_of_colours() -> None:
    rows = [{"point": n, "costs.rate": n % 3, "pipeline.width": n // 3, "error": None, "loss": n}
            for n in range(24)]
    axis = drawn(rows, x="rate", y="loss", by="width")
    assert [each.get_ylabel() for each in axis.figure.axes] == ["loss", "width"]
    assert len({line.get_color() for line in axis.lines}) == 8
    named = [{**row, "pipeline.width": f"w{row['point']}"} for row in rows]
    with pytest.raises(ConfigurationError, match="at most 10 lines can be told apart"):
        drawn(named, x="rate", y="loss", by="width")


def test_names_across_stand_at_equal_distances() -> None:
    axis = drawn(list(grid()), x="mitigation", y="makespan_s", by="learning_rate")
    assert [text.get_text() for text in axis.get_xticklabels()] == list(NAMES)
    assert axis.get_ylabel() == "makespan (s)"


@pytest.mark.parametrize(("column", "most", "label", "said"), [
    ("bubble_fraction", 0.25, "bubble (%)", "25 %"),
    ("accuracy", 0.9, "accuracy (%)", "90 %"),
    ("memory.peak_bytes.max", 2.5e6, "memory peak, largest (MB)", "2.5 MB"),
    ("memory.peak_in_flight.0", 3, "memory peak in flight 0", "3"),
    ("steady_throughput_minibatches_per_s", 0.5, "steady throughput (mini-batches/s)",
     "0.5 mini-batches/s"),
    ("cluster.bandwidth_bytes_per_s", 1e9, "bandwidth (GB/s)", "1 GB/s"),
    ("costs.forward_s", 4200.0, "forward (s)", "4,200 s"),
    ("pipeline.stages", 8, "stages", "8")])
def test_columns_are_shown_in_words_and_one_unit(column, most, label, said) -> None:
    shown = words.quantity(column, [most, 0.0, None])
    assert (shown.label, shown.said(most)) == (label, said)


def test_the_headline_says_between_what_and_where() -> None:
    found = drawing.rows_of(list(grid()), "learning_rate", "final_loss", "mitigation")
    assert points.message(found) == ("Final loss from 0.02 at learning rate 1, mitigation none to "
                                     "2 at learning rate 0.01, mitigation none")
    flat = drawing.rows_of(list(grid()), "learning_rate", "bubble_fraction", None)
    assert points.message(flat) == "Bubble: 25 % everywhere"


@pytest.mark.parametrize("width", [3.33, 7.2])
@pytest.mark.parametrize("keys", [("learning_rate", "final_loss", "mitigation"),
                                  ("mitigation", "makespan_s", "learning_rate"),
                                  ("learning_rate", "final_loss", None)])
def test_it_can_be_read_in_a_column_of_a_paper(width, keys) -> None:
    look = Look(width_in=width, font="serif")
    with look.worn():
        figure = drawing.draw(drawing.rows_of(list(grid()), *keys), look)
        said = [each for each in complaints(figure) if "does not fit a page" not in each]
    assert said == []
    assert figure.get_figwidth() == width


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    rows = [*grid(), {**next(grid()), "point": 6, "error": "ConfigurationError: no"}]
    Path("table.csv").write_text(rows_as_csv(rows))
    Path("failed.csv").write_text(rows_as_csv(rows[-1:]))
    Path("other.csv").write_text("a,b\n1,2\n")
    return "table.csv"


def call(*words: str) -> Result:
    return CliRunner().invoke(main, ["sweep", *words])


def test_the_door_writes_the_picture_its_rows_and_its_origin(table) -> None:
    before = dict(mpl.rcParams)
    result = call(table, "--x", "learning_rate", "--y", "final_loss", "--by", "mitigation",
                  "--format", "svg", "--width", "3.33in")
    assert result.exit_code == 0, result.output
    assert result.output == "out/sweep.svg written\nout/sweep.csv written\n"
    assert len(read_rows(Path("out/sweep.csv"))) == 6
    assert read_origin("out/sweep.svg").command == (
        "python -m figures sweep table.csv --x learning_rate --y final_loss --by mitigation "
        "--width 3.33in --format svg")
    assert "1 points failed" in Path("out/sweep.svg").read_text()
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(("words", "says"), [
    (["table.csv"], "--x and --y: name a column; keys and results of table.csv are "
                    "training.learning_rate, pipeline.mitigation, final_loss, makespan_s"),
    (["table.csv", "--x", "learning_rat", "--y", "final_loss"], "did you mean learning_rate?"),
    (["table.csv", "--x", "learning_rate", "--y", "dispatch"], "--y: dispatch holds no numbers"),
    (["table.csv", "--x", "learning_rate", "--y", "staleness.forward"],
     "is a list by stage; choose from staleness.forward.0, staleness.forward.1"),
    (["other.csv", "--x", "a", "--y", "b"], "other.csv: not the table of a sweep"),
    (["failed.csv", "--x", "a", "--y", "b"], "every point failed, the first with Configuration"),
    (["no.csv", "--x", "a", "--y", "b"], "no.csv: there is no such file"),
    (["table.csv", "--x", "stages", "--y", "final_loss", "--width", "1in"], "--width: 2 to 24")])
def test_mistakes_are_told_in_a_line(table, words, says) -> None:
    result = call(*words)
    assert result.exit_code == 2, result.output
    assert says in result.output
    assert len(result.output.splitlines()) == 1
    assert not Path("out").exists()
