"""Staleness, memory and prediction of one's own runs: the numbers are the report's, and legible."""

import numpy as np
import pytest
from matplotlib.figure import Figure

import figures
import sim
from analysis.metrics.report import report
from figures.drawing.look import Look
from figures.drawing.tables import Line, layout, written
from figures.horizons import HORIZONS
from figures.traces import memory, prediction, staleness
from figures.traces.stages.held import peaks_text, total
from figures.traces.wanted import OwnPicture, Run, Wanted
from sim.errors import ConfigurationError
from sim.library.asking import experiment_of
from sim.rows import Rows
from tests.figures.legible import complaints, drawn

COLUMN, PAGE = 3.33, 7.2
SMALL = {"stages": 4, "minibatches": 24, "evaluate_every": 0}


def made(name: str = "", **keys: object) -> Run:
    experiment = experiment_of(None, SMALL | keys)
    return Run(name or str(keys.get("mitigation", "none")), sim.run(experiment), experiment)


@pytest.fixture(scope="module")
def runs() -> dict[str, Run]:
    return {
        "one": made(mitigation="spectrain"),
        "other": made("a-run_with-a-long-name", mitigation="stash"),
        "jitter": made("jitter", dispatch="greedy", task="none", minibatches=60,
                       jitter={"sigma": 0.5}),
        "limit": made("limit", schedule="1f1b", microbatches=4, batch_size=28, minibatches=4,
                      activation_limit_bytes=60000),
        "chunks": made("chunks", schedule="interleaved", chunks=2, microbatches=4, stages=8,
                       layers=8, batch_size=28, minibatches=4, mitigation="none"),
        "long": made("long", stages=64, minibatches=130, task="none")}


def pictured(picture: OwnPicture, rows: Rows, width: float, title: str | None = None) -> Figure:
    look = Look(width_in=width, title=title)
    with look.worn():
        figure = picture.draw(rows, look, Wanted())
        assert list(complaints(figure, width)) == []
        return figure


CASES = [("staleness", ["one"], COLUMN), ("staleness", ["one", "other"], COLUMN),
         ("staleness", ["jitter"], COLUMN), ("staleness", ["jitter"], PAGE),
         ("staleness", ["long"], COLUMN), ("staleness", ["long", "one"], COLUMN),
         ("memory", ["one", "other", "limit"], COLUMN), ("memory", ["one", "limit"], PAGE),
         ("memory", ["chunks"], COLUMN)]
OWN = {"staleness": staleness.OWN, "memory": memory.OWN, "prediction": prediction.OWN}


@pytest.mark.parametrize(("name", "shown", "width"), CASES, ids=lambda case: "-".join(
    case) if isinstance(case, list) else str(case))
def test_pictures_can_be_read_in_a_column_and_on_a_page(runs, name, shown, width) -> None:
    pictured(OWN[name], OWN[name].rows([runs[each] for each in shown], Wanted()), width)


def test_no_title_leaves_no_text_above(runs) -> None:
    for name in ("staleness", "memory"):
        rows = OWN[name].rows([runs["one"]], Wanted(stages=(0, 1)))
        assert not pictured(OWN[name], rows, COLUMN, title="").texts


def test_staleness_is_the_reports(runs) -> None:
    for key in ("one", "jitter"):
        run = runs[key]
        rows, found = staleness.rows([run], Wanted()), report(run.trace)
        for name in ("forward", "backward"):
            mean = staleness.means(rows, run.name, staleness.LAG, name, range(4))
            assert mean == pytest.approx(found["staleness"][name])
            far = staleness.means(rows, run.name, staleness.DISTANCE, name, range(4))
            known = [100 * (np.nan if v is None else v) for v in found["weight_distance"][name]]
            assert far == pytest.approx(known, nan_ok=True)
    lags = [row for row in rows if row["stage"] == 0 and row["pass"] == "forward"]
    counted = found["staleness"]["distribution"]["forward"][0]
    assert {f"{row['value']:g}": pytest.approx(row["share"]) for row in lags} == {
        value: times / sum(counted.values()) for value, times in counted.items()}
    assert len(lags) > 1


def test_equal_numbers_have_equal_shades_and_decimals_in_a_row(runs) -> None:
    rows = staleness.rows([runs["one"], runs["other"]], Wanted())
    figure = pictured(staleness.OWN, rows, PAGE)
    lines = [figure.axes[:2], figure.axes[2:]]
    for line in lines:
        scales = {(image.norm.vmin, image.norm.vmax) for axis in line for image in axis.images}
        assert len(scales) == 1
        texts = [t.get_text() for axis in line for t in axis.texts if t.get_text() != "0"]
        assert len({len(text.partition(".")[2]) for text in texts}) == 1
    assert written(np.array([7, 2, 1.71]))(1.71) == "1.7"
    assert written(np.array([7.0, 2, 0]))(7.0) == "7"
    assert written(np.array([0.031, 0.0001]))(0.0001) == "0.000"  # and nothing at all is 0
    assert written(np.array([np.nan]))(np.nan) == "–"


def test_tables_are_stacked_and_lose_their_numbers_as_they_get_narrow() -> None:
    lines = [Line(["forward", "backward"], [np.full((2, 8), 1.25)] * 2, "updates")]
    found = [layout(width, lines, ["a", "b"], 8) for width in (PAGE, 3.0, 1.8)]
    assert [(each.across, each.numbers) for each in found] == [(2, True), (1, True), (1, False)]


def test_a_stage_on_several_devices_has_a_panel_of_memory_for_each() -> None:
    run = made("replicas", schedule="hybrid", stages=3, replicas=[2, 1, 1], mitigation="stash",
               minibatches=12)
    rows = memory.rows([run], Wanted())
    tops = {row["place"]: 0.0 for row in rows}
    for row in rows:
        tops[row["place"]] = max(tops[row["place"]], total(row))
    assert list(tops) == ["stage 0 on device 0", "stage 0 on device 1", "stage 1", "stage 2"]
    assert list(tops.values()) == report(run.trace)["memory"]["peak_device_bytes"]
    for width in (COLUMN, PAGE):
        pictured(memory.OWN, rows, width)


def test_memory_is_the_reports_and_its_kinds_add_up(runs) -> None:
    for key in ("one", "other", "limit", "chunks"):
        rows = memory.rows([runs[key]], Wanted())
        found = report(runs[key].trace)["memory"]
        peaks: dict[str, float] = {}
        for row in rows:
            peaks[row["place"]] = max(peaks.get(row["place"], 0.0), total(row))
        whole = "peak_device_bytes" if key == "chunks" else "peak_bytes"
        assert list(peaks.values()) == pytest.approx(found[whole])
    by = {kind: max(row[f"{kind}_bytes"] for row in memory.rows([runs["one"]], Wanted())
                    if row["place"] == "stage 0") for kind in ("copy", "stash", "activation")}
    one = report(runs["one"].trace)["memory"]
    assert by == {kind: one[f"peak_{kind}_bytes"][0] for kind in by}
    assert by["copy"] > 0


def test_the_limit_and_the_peaks_are_in_the_picture(runs) -> None:
    rows = memory.rows([runs["limit"]], Wanted())
    figure = pictured(memory.OWN, rows, COLUMN)
    axis = figure.axes[0]
    (limit,) = [line for line in axis.lines if line.get_linestyle() == "--"]
    weights = rows[0]["weight_bytes"]
    assert max(limit.get_ydata()) == pytest.approx((weights + 60000) / 1e3)
    assert peaks_text(rows, 1e3)(max(map(total, rows)) / 1e3) in {t.get_text() for t in axis.texts}
    assert "limit of activations" in {text.get_text() for text, _ in drawn(figure)}
    assert "activations reach 47.8 % of their limit" in memory.message(rows)


def test_a_window_and_stages_are_cut_out(runs) -> None:
    whole = memory.rows([runs["one"]], Wanted())
    cut = memory.rows([runs["one"]], Wanted(from_s=10.5, to_s=20.0, stages=(1, 2)))
    assert {row["place"] for row in cut} == {"stage 1", "stage 2"}
    assert (min(row["second"] for row in cut), max(row["second"] for row in cut)) == (10.5, 20.0)
    before = [row for row in whole if row["place"] == "stage 1" and row["second"] <= 10.5][-1]
    assert cut[0] | {"second": 0} == before | {"second": 0, "places": 2}
    late = staleness.rows([runs["one"]], Wanted(stages=(2,)))
    assert {row["stage"] for row in late} == {2}


def test_very_many_moments_keep_every_peak(runs, monkeypatch) -> None:
    whole = memory.rows([runs["one"]], Wanted())
    monkeypatch.setattr(memory, "MOST_MOMENTS", 20)
    monkeypatch.setattr(memory, "BINS", 7)
    few = memory.rows([runs["one"]], Wanted())
    assert len(few) <= 4 * (2 * 7 + 1) < len(whole)
    ends = {each["place"]: each for each in whole}
    assert {each["place"]: each for each in few} == ends  # the last moment is the last
    assert {row["place"]: max(total(r) for r in few if r["place"] == row["place"])
            for row in few} == {row["place"]: max(total(r) for r in whole
                                                  if r["place"] == row["place"]) for row in whole}


def test_of_many_stages_the_fullest_are_shown(runs) -> None:
    rows = memory.rows([made("many", stages=12, layers=12, minibatches=14, task="digits-mlp",
                             distances=False)], Wanted())
    assert {row["place"] for row in rows} == {f"stage {k}" for k in range(8)}
    texts = {t.get_text() for t in pictured(memory.OWN, rows, PAGE).texts}
    assert any("8 fullest of 12 stages" in text for text in texts)


def test_predictions_of_ones_own_runs(runs) -> None:
    rows = prediction.rows([runs["one"], runs["other"]], Wanted())
    assert {row["run"] for row in rows} == {runs["one"].name, runs["other"].name}
    assert {row["horizon"] for row in rows} == set(HORIZONS)
    pictured(prediction.OWN, rows, COLUMN)
    mine = [row for row in rows if row["run"] == "spectrain" and row["horizon"] == 1]
    assert f"{prediction.nearer(mine):.2f}" in prediction.message(rows)
    assert prediction.nearer(mine) > 1


@pytest.mark.parametrize(("picture", "run", "wanted", "says"), [
    ("staleness", "one", Wanted(stages=(1, 4)), "stages: they are 0 to 3, got 4"),
    ("memory", "one", Wanted(stages=(9,)), "stages: they are 0 to 3, got 9"),
    ("memory", "one", Wanted(from_s=1e9), "the run spectrain is from 0 to"),
    ("memory", "one", Wanted(from_s=5.0, to_s=2.0), "got 5 to 2"),
    ("memory", "jitter", Wanted(), "nothing in the run has a size"),
    ("prediction", "jitter", Wanted(), "jitter: training.task is none"),
    ("prediction", "read", Wanted(), "cannot be run again; give the experiment")])
def test_what_cannot_be_drawn_is_said(runs, picture, run, wanted, says) -> None:
    given = Run("read", runs["one"].trace) if run == "read" else runs[run]
    with pytest.raises(ConfigurationError, match=says):
        OWN[picture].rows([given], wanted)


def test_functions_draw_on_axes_of_the_callers_own(runs) -> None:
    one, other = runs["one"].trace, runs["other"].trace
    axes = Figure(figsize=(6, 6)).subplots(3, 2).ravel()
    figures.staleness(one, axes[0], quantity="distance")
    assert axes[0].get_ylabel() == "distance from fresh (%)"
    figures.staleness([one, other], axes[1], of="backward")
    assert [t.get_text() for t in axes[1].get_yticklabels()] == ["spectrain@round-robin",
                                                                "stash@round-robin"]
    figures.memory(one, axes[2], stage=3)
    assert axes[2].get_ylabel() == "stage 3 (kB)"
    figures.memory({"mine": one, "theirs": other}, axes[3])
    assert [line.get_label() for line in axes[3].lines] == ["mine, stage 0", "theirs, stage 0"]
    figures.prediction(one, axes[4], horizon=2)
    assert axes[4].get_yscale() == "log"
    for call, says in ((lambda: figures.staleness(one, quantity="speed"), "quantity: choose from"),
                       (lambda: figures.prediction(one, horizon=9), "horizon: choose from 1"),
                       (lambda: figures.memory([]), "trace"),
                       (lambda: figures.staleness(runs["long"].trace, quantity="distance"),
                        "no distances were measured")):
        with pytest.raises(ConfigurationError, match=says):
            call()


def test_headlines_of_many_runs_name_the_ends_alone(runs) -> None:
    def many(rows: Rows, scale: str) -> Rows:
        return [row | {"run": f"run {n}", scale: row[scale] * (1 + n)}
                for n in range(6) for row in rows]

    lags = many(staleness.rows([runs["other"]], Wanted()), "value")
    assert staleness.message(lags) == (
        "Latest forward: from 3 updates (run 0) to 18 updates (run 5)")
    same = [row | {"value": 2.0, "share": 1.0} for row in lags if row["stage"] == 3]
    assert staleness.message(same) == "Latest forward: 2 updates in every run"
    held = memory.message(many(memory.rows([runs["one"]], Wanted(stages=(0,))), "copy_bytes"))
    assert held.startswith("Peak of the fullest stage: from 198 kB (run 0) to ")
    assert held.endswith("kB (run 5)")
    ahead = [{"run": f"run {n}", "horizon": s, "update": 1, "stale_rmse": n + 2.0,
              "predicted_rmse": 1.0} for n in range(6) for s in (1, 2)]
    assert "are 2.00 to 7.00, 2.00 to 7.00 times nearer" in prediction.message(ahead)


def test_what_lasts_no_time_counts_only_where_it_is_the_highest(runs) -> None:
    rows = [row for row in memory.rows([runs["other"]], Wanted()) if row["place"] == "stage 0"]
    assert not [row for row in rows if 30 < row["second"] < 40]  # a stash stays as full
    times = np.array([0.0, 1.0, 1.0, 1.0, 2.0])
    held = {"weights": np.array([5.0, 5.0, 5.0, 5.0, 5.0]), "stash": np.zeros(5),
            "copies": np.array([0.0, 2.0, 0.0, 1.0, 1.0]), "activations": np.zeros(5)}
    found = memory._moments(times, held, 0.0, 3.0)
    assert [(row["second"], row["copy_bytes"]) for row in found] == [
        (0.0, 0.0), (1.0, 2.0), (1.0, 1.0), (3.0, 1.0)]
