"""The door to pictures of one's own runs: what it takes, what it refuses, what it writes."""

import json
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import pytest
from click.testing import CliRunner, Result
from matplotlib.figure import Figure

import sim
from figures.__main__ import main
from figures.drawing.look import Look
from figures.drawing.style import headline
from figures.origin import read_origin
from figures.own import catalogue
from figures.rows import read_rows
from figures.traces.wanted import OwnPicture, Run, Wanted
from sim.rows import Rows

pytestmark = pytest.mark.filterwarnings("error")
CSV_OF_TORCH = "0F0,0F1,0B0,0B1\n"


def toy_rows(runs: list[Run], wanted: Wanted) -> Rows:
    return [{"run": run.name, "spans": len(run.trace), "learnt": run.trace.header.training
             is not None, "wanted": repr(wanted)} for run in runs]


def toy_draw(rows: Rows, look: Look, wanted: Wanted) -> Figure:
    figure = look.figure(2)
    axis = figure.subplots()
    axis.bar([row["run"] for row in rows], [row["spans"] for row in rows])
    headline(figure, look.above(toy_message(rows)), "a note")
    return figure


def toy_message(rows: Rows) -> str:
    return f"{rows[0]['spans']} spans"


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two pictures: one that takes a window and two runs at most, one that trains."""
    pictures = {"timeline": OwnPicture("timeline", toy_rows, toy_draw, toy_message,
                                       frozenset({"minibatches", "from_s", "to_s"}), runs=2),
                "learning": OwnPicture("learning", toy_rows, toy_draw, toy_message,
                                       frozenset({"stages"}), trained=True)}
    monkeypatch.setattr(catalogue, "NAMES", tuple(pictures))
    monkeypatch.setattr(catalogue, "own", pictures.__getitem__)
    for module in ("making", "inputs"):
        monkeypatch.setattr(f"figures.own.{module}.NAMES", tuple(pictures))
    monkeypatch.setattr("figures.own.making.own", pictures.__getitem__)
    monkeypatch.chdir(tmp_path)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments])


def done(*arguments: object) -> list[str]:
    """The files that a command wrote."""
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return [line.removesuffix(" written") for line in result.output.splitlines()]


@pytest.fixture
def trace() -> Callable[..., Path]:
    def saved(name: str = "run.npz", **keys: object) -> Path:
        path = Path(name)
        path.parent.mkdir(exist_ok=True)
        sim.run(stages=2, minibatches=3, task="none", **keys).save(path)
        return path
    return saved


def test_a_trace_becomes_a_picture_with_its_rows_and_its_origin(trace) -> None:
    written = done("timeline", trace(), "--format", "png,pdf", "--minibatch", "2")
    assert written == [f"out/timeline.{kind}" for kind in ("png", "pdf", "csv")]
    (row,) = read_rows(Path(written[-1]))
    assert (row["run"], row["spans"]) == ("run", 18)
    assert "minibatches=(2,)" in row["wanted"]
    origin = read_origin("out/timeline.pdf")
    assert origin.command == ("python -m figures timeline run.npz --minibatch 2 "
                              "--format png,pdf")
    assert origin.configuration["runs"]["run"]["pipeline"]["stages"] == 2


def test_experiments_run_once_for_all_pictures_and_are_trained_where_one_needs_it() -> None:
    Path("mine.toml").write_text("[pipeline]\nstages = 2\nminibatches = 4\n")
    done("timeline", "learning", "mine.toml", "--set", "minibatches=3", "--format", "svg")
    for name in ("timeline", "learning"):
        (row,) = read_rows(Path(f"out/{name}.csv"))
        assert (row["run"], row["spans"], row["learnt"]) == ("mine", 18, True)
    done("timeline", "mine.toml", "--format", "svg")
    assert read_rows(Path("out/timeline.csv"))[0]["learnt"] is False


def test_without_a_file_a_setting_draws_the_default_experiment_with_it() -> None:
    done("timeline", "--set", "stages=2", "--set", "minibatches=3", "--format", "svg")
    (row,) = read_rows(Path("out/timeline.csv"))
    assert (row["run"], row["spans"]) == ("round-robin, none", 18)
    assert read_origin("out/timeline.svg").command == (
        "python -m figures timeline --set stages=2 --set minibatches=3 --format svg")


@pytest.mark.parametrize("words", [["order.csv"], ["--program", "order.csv"]])
def test_a_program_of_pytorch_becomes_a_picture_by_one_command(words) -> None:
    Path("order.csv").write_text(CSV_OF_TORCH)
    done("timeline", *words, "--format", "svg")
    assert read_rows(Path("out/timeline.csv"))[0]["run"] == "order"


def test_names_are_stems_or_paths_where_stems_are_equal(trace) -> None:
    done("timeline", trace("a/run.npz"), trace("b/run.npz"), "--format", "svg")
    assert [row["run"] for row in read_rows(Path("out/timeline.csv"))] == ["a/run.npz",
                                                                           "b/run.npz"]


def test_two_dollars_in_a_name_are_no_mathematics(trace) -> None:
    done("timeline", trace("$x_{$.npz"), "--format", "png")


def test_rows_are_drawn_again_by_from_or_by_their_file(trace) -> None:
    done("learning", trace(), "--format", "svg")
    before = Path("out/learning.csv").read_bytes()
    Path("mine.csv").write_bytes(before)
    done("learning", "mine.csv", "--width", "85mm", "--format", "svg", "--out", "again")
    assert Path("again/mine.csv").read_bytes() == before
    origin = read_origin("again/mine.svg")
    assert origin.command.startswith("python -m figures learning --from mine.csv --width 3.34646in")
    done("learning", "--from", "mine.csv", "--format", "svg", "--out", "once")
    assert Path("once/mine.csv").read_bytes() == before


def test_a_look_changes_the_picture_and_no_setting(trace) -> None:
    from PIL import Image

    before = dict(mpl.rcParams)
    done("timeline", trace(), "--width", "3.33in", "--dpi", "200", "--format", "png,svg",
         "--font", "serif", "--title", "Mine")
    assert dict(mpl.rcParams) == before
    with Image.open("out/timeline.png") as image:
        assert image.width == 666
    text = Path("out/timeline.svg").read_text()
    assert "Mine" in text
    assert "a note" in text
    assert "STIXGeneral" in text
    assert "18 spans" not in text
    done("timeline", trace(), "--title", "none", "--format", "svg")
    text = Path("out/timeline.svg").read_text()
    assert "a note" not in text
    assert "18 spans" not in text


@pytest.mark.parametrize(("words", "says"), [
    (["timeline", "none.npz"], "none.npz: there is no such file"),
    (["timelin", "run.npz"], "did you mean timeline?"),
    (["timeline", "memry", "run.npz"], "did you mean memory?"),
    (["rates", "run.npz"], "of runs of your own there are timeline, learning, validation"),
    (["all", "run.npz"], "figure all: made from fixed experiments"),
    (["validation", "timeline", "run.npz"], "drawn from folders, so alone"),
    (["validation", "run.npz"], "a validation is drawn from its folder"),
    (["validation", "."], "report.json: there is no such file"),
    (["validation", "--set", "stages=3"], "nothing is run"),
    (["timeline", "run.npz", "run.npz"], "run.npz: given twice"),
    (["timeline", "run.npz", "two.npz", "wide.npz"], "timeline: shows at most 2 runs, got 3"),
    (["timeline", "."], "holds no run to draw"),
    (["timeline", "text.txt"], "a trace is .npz"),
    (["timeline", "broken.npz"], "not a pipestale-trace file"),
    (["timeline", "run.npz", "--set", "stages=3"], "is drawn as it was run"),
    (["timeline", "run.npz", "--program", "text.txt"], "is drawn as it was run"),
    (["timeline", "run.npz", "--minibatch", "4"], "those of run are 1 to 3, got 4"),
    (["learning", "run.npz", "--stages", "0-5"], "those of run are 0 to 1, got 5"),
    (["learning", "run.npz", "--minibatch", "1"],
     "--minibatch: learning does not take it; of the pictures timeline does"),
    (["timeline", "run.npz", "--colour", "distance"], "timeline does not take it"),
    (["timeline", "run.npz", "--from", "3", "--to", "3"], "--to: after the window's start at 3 s"),
    (["timeline", "run.npz", "--from", "-3"], "--from: seconds from the run's start, 0 or more"),
    (["timeline", "run.npz", "--from", "nan"], "not a finite number"),
    (["timeline", "run.npz", "--seeds", "2"], "goes with the gallery's figures"),
    (["timeline", "run.npz", "--width", "3.33"], "a number with its unit"),
    (["timeline", "run.npz", "--width", "1in"], "--width: 2 to 24 in, got 1in"),
    (["timeline", "run.npz", "--width", "10mm"], "--width: 50.8 to 609.6 mm, got 10mm"),
    (["timeline", "run.npz", "--width", "20in", "--dpi", "1000"], "--dpi: at most 819"),
    (["timeline", "run.npz", "--font", "DejaVu Sanz"], "(did you mean DejaVu Sans?)"),
    (["timeline", "run.npz", "--format", "jpg"], "format 'jpg' is unknown"),
    (["timeline", "run.npz", "--title", r"$\nothing$"], "mathematics that cannot be set"),
    (["timeline", "run.npz", "--stages", "1-"], "numbers and ranges by comma"),
    (["timeline", "run.npz", "--minibatch", "0"], "mini-batches count from 1"),
    (["timeline", "--width", "3in"], "laid out for a page"),
    (["learning", "other.csv"], "not the data of figure learning"),
    (["learning", "other.csv", "run.npz"], "draws the rows of one figure"),
    (["learning", "other.csv", "--set", "stages=3"], "nothing is run"),
    (["timeline", "--from", "other.csv", "--out", "text.txt"], "no folder")])
def test_mistakes_are_told_in_a_line_and_nothing_is_written(trace, words, says) -> None:
    for name in {"run.npz", "two.npz", "wide.npz"} & set(words):
        trace(name)
    Path("text.txt").write_text("hello\n")
    Path("other.csv").write_text("a,b\n1,2\n")
    Path("broken.npz").write_text("hello\n")
    result = call(*words)
    assert result.exit_code == 2, result.output
    assert says in result.output
    assert all(line.startswith("error: ") for line in result.output.splitlines())
    assert not Path("out").exists()


def test_a_folder_that_cannot_be_written_is_told_before_anything_runs(monkeypatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("ran")

    Path("out").mkdir()
    Path("out/timeline.svg").mkdir()
    monkeypatch.setattr("figures.own.inputs.run", refuse)
    result = call("timeline", "--set", "stages=3")
    assert result.exit_code == 2, result.output
    assert "out/timeline.svg: is a folder" in result.output


def test_a_validation_is_drawn_from_its_folder_or_its_report(monkeypatch) -> None:
    seen = []
    monkeypatch.setattr("figures.bundles.validation.draw",
                        lambda folders, out, command, look: seen.append(
                            (folders, command, look.formats)) or [])
    Path("a").mkdir()
    Path("a/report.json").write_text(json.dumps({}))
    done("validation", "a", "--format", "pdf")
    done("validation", "a/report.json")
    assert [folders for folders, *_ in seen] == [[Path("a")], [Path("a")]]
    assert seen[0][1:] == ("python -m figures validation a --format pdf", ("pdf",))


def test_options_may_come_before_names_and_a_plugin_before_a_command(trace) -> None:
    assert done("--format", "svg", "timeline", trace())
    Path("plugin.py").write_text("")
    assert done("--plugin", "plugin.py", "timeline", "run.npz", "--format", "svg")
    result = call("--plugin", "plugin.py", "explore", "run.npz", "--out", "page.html")
    assert result.exit_code == 0, result.output
    assert Path("page.html").exists()
