"""Figures: data that says what the papers say, files that carry it."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from figures import methods
from figures.__main__ import Bare, draw
from figures.catalogue import FIGURES
from figures.origin import read_origin, save
from figures.pictures import (
    gantt,
    jitter,
    learning,
    memory,
    prediction,
    rates,
    stability,
    staleness,
)
from figures.pieces import Piece, collect
from figures.rows import read_rows
from figures.splice import splice
from sim.rows import Rows
from tests.figures.legible import drawn


def made(module: object, *arguments: object) -> Rows:
    return collect(module.pieces(*arguments))  # type: ignore[attr-defined]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods, "MINIBATCHES", 80)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(Bare(commands={"draw": draw}), [str(a) for a in arguments])


def test_timeline_data_is_the_round_trip_of_minibatch_4() -> None:
    rows = made(gantt)
    assert [(r["device"], r["op"], r["version_time_unit"]) for r in gantt.trip(rows)] == [
        (0, "F", 4), (1, "F", 5), (2, "F", 5), (2, "B", 5), (1, "B", 6), (0, "B", 6)]
    single = [r for r in rows if r["run"] == "single GPU" and r["op"] != "U"]
    assert single
    assert all(r["version_time_unit"] == r["minibatch"] for r in single)


def test_timeline_picture_writes_the_versions_and_arrows() -> None:
    figure = gantt.draw(made(gantt))
    versions = [text for text, _ in drawn(figure) if text.get_text() in ("W4", "W5", "W6")]
    height = {text: -text.get_window_extent().y0 for text in versions}
    assert [text.get_text() for text in sorted(versions, key=lambda text: (
        round(height[text]), text.get_window_extent().x0))] == [
            "W4", "W4", "W4", "W6", "W5", "W6", "W5", "W5"]
    arrows = [p for p in figure.axes[0].patches if type(p).__name__ == "FancyArrowPatch"]
    assert len(arrows) == 4


@pytest.mark.usefixtures("short")
def test_staleness_data_has_every_method_and_stage() -> None:
    rows = made(staleness, 3, range(1))
    assert {r["method"] for r in rows} == {m.label for m in methods.METHODS}
    lag = {(r["method"], r["pass"], r["stage"]): r["value"] for r in rows
           if r["quantity"] == staleness.LAG}
    assert [lag["none", "forward", k] for k in range(3)] == [2, 1, 0]
    assert [lag["vertical-sync", "backward", k] for k in range(3)] == [2, 2, 2]
    assert [lag["sequential", "forward", k] for k in range(3)] == [0, 0, 0]
    assert len(staleness.draw(rows).get_axes()) == 4


@pytest.mark.usefixtures("short")
def test_learning_is_told_by_mini_batch_and_by_second(monkeypatch) -> None:
    shown = [m for m in learning.SHORT if m.label in (
        "sequential", "GPipe 7 (flushed)", "data parallel", "none")]
    monkeypatch.setattr(learning, "METHODS", {80: shown})
    monkeypatch.setattr(learning, "EVERY", {80: 40})
    rows = made(learning, 80, range(1))
    sequential, flushed, parallel, pipeline = ([r for r in rows if r["method"] == m.label]
                                               for m in shown)
    assert [r["minibatch"] for r in sequential] == [40, 80]
    assert [r["second"] for r in sequential] == [40 * 24.0, 80 * 24.0]
    # 7 micro-batches through 8 stages: 14 slots of 3/7 s a mini-batch; the other fills and drains
    assert [r["second"] for r in flushed] == pytest.approx([40 * 6.0, 80 * 6.0], rel=1e-6)
    assert pipeline[1]["second"] - pipeline[0]["second"] == 40 * 3.0
    # eight mini-batches at a time, each through the whole network on a device of its own
    assert [r["second"] for r in parallel] == [40 / 8 * 24.0, 80 / 8 * 24.0]
    assert parallel[-1]["training_loss"] > sequential[-1]["training_loss"]
    same_weights = zip(sequential, flushed, strict=True)
    assert all(a["training_loss"] == pytest.approx(b["training_loss"]) for a, b in same_weights)
    assert pipeline[-1]["training_loss"] > sequential[-1]["training_loss"]


@pytest.mark.parametrize(("contender", "forward", "backward"), [
    ("none", 1, 2), ("none@gpipe/7", 1 / 7, 2 / 7), ("timeprest@nf1b/7", 1 / 7, 2)])
def test_work_is_equal_whatever_the_micro_batches(contender, forward, backward) -> None:
    found = methods.experiment(methods.document(4, 0.1), contender, 0)
    assert found.costs.forward_s == pytest.approx(forward)
    assert found.costs.backward_s == pytest.approx(backward)


@pytest.mark.usefixtures("short")
def test_predictions_are_measured_as_the_definition_says() -> None:
    """RMSE by hand from all weights of a run of two stages."""
    import numpy as np

    from figures.horizons import Probe
    from sim.experiment.run import run

    probe, kept = Probe(2), {}

    def watch(stage, version, weights):
        kept[stage, version] = weights
        probe(stage, version, weights)

    base = methods.document(2, 0.3)
    base["pipeline"]["minibatches"] = 8
    run(methods.experiment(base, "none", 0), watch=watch)
    rows = {(r["horizon"], r["update"]): r for r in probe.rows(1)}
    assert set(rows) == {(s, u) for s in (1, 2, 3) for u in range(s + 2, 9)}
    then, before, now = (np.concatenate([kept[k, v] for k in (0, 1)]) for v in (4, 3, 7))
    found = rows[3, 7]
    assert found["stale_rmse"] == pytest.approx(np.sqrt(np.mean((then - now) ** 2)))
    guess = then + 3 * (then - before)
    assert found["predicted_rmse"] == pytest.approx(np.sqrt(np.mean((guess - now) ** 2)))
    assert 8 * probe.rows(8)[0]["stale_rmse"] > 0


def test_memory_data_show_stash_and_flush() -> None:
    rows = made(memory)
    assert memory.peak(rows, "none", 3) == memory.peak(rows, "stash", 3)
    assert memory.peak(rows, "none", 0) < memory.peak(rows, "stash", 0)
    assert memory.peak(rows, "1F1B 7") < memory.peak(rows, "GPipe 7")
    stash = {k: max(r["stash_bytes"] for r in rows if (r["method"], r["stage"]) == ("stash", k))
             / next(r["weight_bytes"] for r in rows if r["stage"] == k) for k in range(4)}
    assert stash == {0: 3, 1: 2, 2: 1, 3: 0}
    assert {r["second"] for r in rows} >= {memory.UNTIL_S}


def test_jitter_rows_are_distributions(monkeypatch) -> None:
    monkeypatch.setattr(jitter, "SIGMAS", (0.0, 0.6))
    monkeypatch.setattr(jitter, "DRAWS", 2)
    monkeypatch.setattr(jitter, "MINIBATCHES", 60)
    rows = made(jitter, range(2))
    assert [len(jitter.column(rows, "greedy", sigma, "seed")) for sigma in (0.0, 0.6)] == [1, 4]
    shares = [sum(r[f"share_{late}"] for late in range(8)) for r in rows]
    assert shares == pytest.approx([1.0] * len(rows))
    assert set(jitter.column(rows, "static", 0.6, "first_stage_staleness")) == {7.0}
    assert jitter.column(rows, "static", 0.0, "relative_throughput") == [1.0]
    assert max(jitter.column(rows, "static", 0.6, "relative_throughput")) < 1


def test_rates_table_says_how_many_seeds_diverged() -> None:
    rows = [{"rate": rate, "method": m.label, "seed": seed, "final_loss": loss, "accuracy": 0.9,
             "diverged": False}
            for m in rates.METHODS for rate in rates.RATES for seed, loss in enumerate((0.4, 0.6))]
    rows[0] |= {"final_loss": None, "accuracy": None, "diverged": True}
    text = rates.markdown(rows, "command")
    assert "diverged (1 of 2)" in text
    assert text.count("0.4, 0.6 (90.0 %)") == len(rows) / 2 - 1
    one = rates.markdown([row for row in rows if row["seed"] == 1], "command")
    assert "| 0.6 (90.0 %) |" in one
    assert "±" not in one


def test_stability_figure_has_a_map_a_mitigation_and_both_edges(monkeypatch) -> None:
    monkeypatch.setattr(stability, "MOMENTA", (0.0,))
    monkeypatch.setattr(stability, "STEPS", (0.0, 0.9))
    rows = made(stability)
    assert len(rows) == len(stability.NAMES) * 2 * 8
    both = [r for r in rows if r["edge_measured"] is not None]
    assert {r["momentum"] for r in both} == {0.0}
    assert all(r["edge_measured"] == pytest.approx(r["edge_roots"], rel=0.02) for r in both)
    monkeypatch.setattr(stability, "MOMENTA", (0.0, 0.9))
    figure = stability.draw(rows)
    figure.canvas.draw()
    assert len(figure.get_axes()) == 8
    written = [text.get_text() for text in figure.get_axes()[0].texts]
    assert written[:2] == ["38", "1.0"]
    assert written[8:11] == ["2.0", "1.0", "0.62"]
    assert "from 1 to 0.62 at momentum 0 and from 1 to 2.7 at momentum 0.9" in (
        stability.message(rows))


def test_factors_of_the_prediction_are_means_over_seeds() -> None:
    rows = [{"method": "spectrain", "seed": seed, "horizon": s, "update": u, "stale_rmse": 2.0 * k,
             "predicted_rmse": 1.0} for seed, k in enumerate((1, 2)) for s in (1, 2, 3)
            for u in (20, 40)]
    assert prediction.nearer(rows, "spectrain", 1)[:2] == ((2.0, 4.0), 3.0)
    assert prediction.message(rows).startswith(
        "Predicted weights are 2.00/4.00, 2.00/4.00, 2.00/4.00 times nearer")


def _squares(first: int, count: int) -> Rows:
    return [{"square": n * n} for n in range(first, first + count)]


def test_pieces_give_the_same_rows_side_by_side() -> None:
    pieces = [Piece({"first": n}, _squares, (n, 2)) for n in (3, 1, 2)]
    done: list[int] = []
    alone, together = (collect(pieces, lambda: done.append(1), jobs) for jobs in (1, 2))
    assert alone == together
    assert alone[:3] == [{"first": 3, "square": 9}, {"first": 3, "square": 16},
                         {"first": 1, "square": 1}]
    assert len(done) == 6


def test_same_data_gives_same_bytes(tmp_path) -> None:
    rows = made(gantt)
    first, second = (save(gantt.draw(rows), rows, tmp_path / n, "t", "c") for n in "ab")
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]


@pytest.mark.parametrize("arguments", [["nothing"], []])
def test_unknown_figures_are_refused_with_choices(arguments: list[str]) -> None:
    result = call(*arguments)
    assert result.exit_code == 2
    assert not arguments or f"choose from {', '.join(FIGURES)}, bench, all" in result.output


def test_the_help_names_every_figure() -> None:
    said = " ".join(call("--help").output.split())
    assert ", ".join(FIGURES) in said


def test_a_table_alone_is_drawn_again(tmp_path) -> None:
    assert call("timeline", "--out", tmp_path).exit_code == 0
    (tmp_path / "timeline.csv").rename(tmp_path / "mine.csv")
    result = call("timeline", "--from", tmp_path / "mine.csv", "--out", tmp_path / "again")
    assert result.exit_code == 0, result.output
    table = tmp_path / "again" / "mine.csv"
    assert table.read_bytes() == (tmp_path / "mine.csv").read_bytes()
    assert read_rows(table) == made(gantt)
    origin = read_origin(table.with_suffix(".pdf"))
    assert origin.command == "python -m figures timeline --from mine.csv"
    assert origin.configuration is None


@pytest.mark.parametrize(("arguments", "says"), [
    (["timeline", "rates", "--from", "ok.csv"], "draws the rows of one figure"),
    (["all", "--from", "ok.csv"], "draws the rows of one figure"),
    (["timeline", "--from", "missing.csv"], "there is no such file"),
    (["timeline", "--from", "empty.csv"], "holds no rows"),
    (["timeline", "--from", "picture.csv"], "not a UTF-8 text file"),
    (["rates", "--from", "ok.csv"], "not the data of figure rates"),
    (["advice", "--from", "ok.csv"], "not the data of figure advice")])
def test_tables_that_cannot_be_drawn_are_refused(tmp_path, monkeypatch, arguments, says) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ok.csv").write_text("a,b\n1,2\n")
    Path("empty.csv").write_text("a,b\n")
    Path("picture.csv").write_bytes(b"\x89PNG\xff\xfe")
    result = call(*arguments, "--out", "out")
    assert result.exit_code == 2, result.output
    assert says in result.output
    assert "Traceback" not in result.output
    assert not Path("out").exists()


def test_the_page_shows_what_is_in_the_folder(tmp_path) -> None:
    result = call("timeline", "--out", tmp_path, "--page")
    assert result.exit_code == 0, result.output
    text = (tmp_path / "README.md").read_text()
    assert "meets W4, W5, W5 forward and W5, W6, W6 backward" in text
    assert text.count(".png)") == 1


def test_splice_wants_its_markers(tmp_path) -> None:
    path = tmp_path / "d.md"
    path.write_text("a\n<!-- t -->\nold\n<!-- /t -->\nb\n")
    splice(path, "t", "new\n")
    assert path.read_text() == "a\n<!-- t -->\nnew\n<!-- /t -->\nb\n"
    with pytest.raises(ValueError, match="no markers"):
        splice(path, "u", "")
