"""The timeline of one's own runs: what is drawn where, from what, and at any width."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

import analysis
import figures
import sim
from figures.drawing.colours import PASSES
from figures.drawing.look import Look
from figures.rows import read_rows
from figures.traces.given import named
from figures.traces.passes import trips
from figures.traces.passes.boxes import boxes, chunks
from figures.traces.passes.lanes import as_one, lanes, spans
from figures.traces.passes.window import number, numbers, ranges, unit_of, window
from figures.traces.timeline import OWN, message
from figures.traces.wanted import Run, Wanted
from sim.errors import ConfigurationError
from sim.rows import rows_as_csv
from tests.figures.legible import complaints, drawn

QUICK = {"task": "none", "minibatches": 12}
NARROW = Look(width_in=3.33, title="")


@pytest.fixture(scope="module")
def trace():
    return sim.run(**QUICK)


@pytest.fixture(scope="module")
def chunked():
    return sim.run(task="none", schedule="interleaved", chunks=2, stages=4, microbatches=4,
                   minibatches=3)


@pytest.fixture(scope="module")
def trained():
    return sim.run(minibatches=10, evaluate_every=0)


def texts(figure):
    return [text.get_text() for text, _ in drawn(figure)]


def picture(runs, look=NARROW, **options):
    """A picture as the command draws it, with what is illegible in it."""
    wanted = Wanted(**options)
    rows = OWN.rows(runs, wanted)
    with look.worn():
        figure = OWN.draw(rows, look, wanted)
        return figure, rows, list(complaints(figure, look.width_in))


def faces(axes):
    """The colours of all boxes with a face."""
    found = [each.get_facecolor() for each in axes.collections if isinstance(each, PolyCollection)]
    return {mpl.colors.to_hex(colour).upper() for colour in np.concatenate(found)}


@pytest.mark.parametrize("options", [
    {}, {"minibatches": (7,)}, {"minibatches": (5, 6, 9)}, {"colour": "minibatch"},
    {"colour": "staleness", "minibatches": (4,)}, {"from_s": 3.0, "to_s": 9.0, "stages": (0, 2)}])
def test_a_column_of_a_paper_holds_it_legibly(trace, options):
    font = "serif" if options else "sans"
    assert picture(named(trace), Look(width_in=3.33, title="", font=font), **options)[2] == []


def test_names_are_the_papers_and_shorter_where_boxes_are_narrow(trace):
    wide, narrow = (texts(picture(named(trace), look, to_s=20.0)[0])
                    for look in (Look(title=""), NARROW))
    assert {"F1", "B9", "F10"} <= set(wide)
    assert not {"F1", "B9", "F10"} & set(narrow)
    assert {"1", "9"} <= set(narrow)


def test_the_round_trip_has_its_versions_and_arrows_and_others_are_pale(trace):
    figure, rows, _ = picture(named(trace), Look(), minibatches=(7,), from_s=8.0, to_s=24.0)
    said = texts(figure)
    assert "Mini-batch 7 meets W7, W8, W8 forward and W8, W9, W9 backward" in said
    assert [said.count(version) for version in ("W7", "W8", "W9")] == [1, 3, 2]
    arrows = [each for each in figure.axes[0].patches if isinstance(each, FancyArrowPatch)]
    assert len(arrows) == len(list(trips.steps(rows))) == 4
    strong = {mpl.colors.to_hex(PASSES[op]).upper() for op in "FB"}
    assert strong < faces(figure.axes[0])
    assert len(faces(figure.axes[0])) == 4


def test_versions_are_by_updates_where_no_time_unit_is_defined(trace):
    flushed = sim.run(schedule="gpipe", microbatches=3, **QUICK)
    said = texts(picture(named({"a": trace, "b": flushed}), Look(), minibatches=(4,))[0])
    assert "Mini-batch 4 reads v1 to v3 (a) and v3 throughout (b)" in said
    assert {"v1", "v3"} <= set(said)


def test_micro_batches_have_their_number_and_are_arrowed_where_few(chunked):
    figure, rows, _ = picture(named(chunked), Look(title=""), minibatches=(2,))
    assert {"F2.0", "B2.3"} <= {f"{row['op']}{row['minibatch']}.{row['microbatch']}"
                                for row in rows if row["marked"] and row["op"] in "FB"}
    assert len([p for p in figure.axes[0].patches if isinstance(p, FancyArrowPatch)]) == 4 * 2 * 3


def test_of_many_micro_batches_the_first_alone_is_followed(chunked, monkeypatch):
    monkeypatch.setattr(trips, "MOST_HEADS", 20)
    figure = picture(named(chunked), Look(title=""), minibatches=(2,))[0]
    assert len([p for p in figure.axes[0].patches if isinstance(p, FancyArrowPatch)]) == 2 * 3
    assert "way of a first micro-batch" in texts(figure)


def test_the_stages_of_a_device_are_told_apart(chunked):
    figure = picture(named(chunked), Look(title=""))[0]
    assert {"stages 0–1", "stages 2–3"} <= set(texts(figure))
    assert len(faces(figure.axes[0])) == 4
    assert set(chunks(chunked)) == {0, 1}


def test_traces_are_stacked_on_one_axis_of_time(trace):
    other = sim.run(schedule="gpipe", microbatches=3, **QUICK)
    axes = figures.timeline({"mine": trace, f"/a/very/long/path/of/{'x' * 40}/run.npz": other},
                            Figure(figsize=(3.33, 3)).subplots(), from_s=0, to_s=9)
    said = texts(axes.figure)
    assert "mine" in said
    assert any("…" in text and text.endswith("run.npz") for text in said)
    assert axes.get_xlim() == (0, 9)
    assert len(axes.get_yticks()) == 6


def test_workers_have_lanes_of_their_own():
    two = sim.run(**{"workers.count": 2, "stages": 2}, **QUICK)
    placed = lanes(boxes([Run("a", two)], Wanted()), labelled=False)
    assert [text for _, text in placed.headings] == ["worker 0", "worker 1"]
    assert [key[1:] for key in placed.middle] == [(0, 0), (0, 1), (1, 2), (1, 3)]


def test_the_same_colour_is_the_same_value_in_all_traces(trained):
    figure = picture(named({"a": trained, "b": trained}), Look(title=""), colour="distance")[0]
    _, bar = figure.axes
    assert bar.get_xlabel() == "weights off by (%)"
    stale = picture(named(trained), Look(title=""), colour="staleness")[0].axes
    assert [tick.get_text() for tick in stale[1].get_xticklabels()] == ["0", "1", "2"]
    assert len(faces(stale[0])) == 3


def test_a_long_run_is_shown_in_part_and_the_axis_says_so():
    long = sim.run(task="none", minibatches=2000)
    figure = picture(named(long), Look(title=""))[0]
    assert figure.axes[0].get_xlabel() == "time (s), the first 24 of 4,004"
    around = picture(named(long), Look(title=""), minibatches=(1000,))[0].axes[0]
    assert around.get_xlabel() == "time (s), 1,993 to 2,009 of 4,004"
    assert {"F1001", "B999", "1000"} <= set(texts(around.figure))
    with pytest.raises(ConfigurationError, match="at most 6,000 are drawn; show about"):
        OWN.rows(named(long), Wanted(from_s=0.0))


def test_a_window_is_what_is_asked_for(trace):
    axes = figures.timeline(trace, Figure().subplots(), from_s=3, to_s=11.5)
    assert axes.get_xlim() == (3, 11.5)
    assert window(named(trace), Wanted(to_s=1e9)) == (0, trace.end_s.max())


@pytest.mark.parametrize(("options", "says"), [
    ({"minibatches": (13,)}, "minibatch: mini-batches are 1 to 12, got 13"),
    ({"minibatches": (0,)}, "minibatch: mini-batches are 1 to 12, got 0"),
    ({"minibatches": tuple(range(1, 9))}, "at most 6 can be told apart, got 8"),
    ({"stages": (0, 3)}, "stages: stages are 0 to 2, got 3"),
    ({"from_s": 28.0}, "from: the run ends at 28 s, got 28"),
    ({"from_s": 5.0, "to_s": 5.0}, "to: comes after from, got 5 and 5"),
    ({"from_s": -1.0}, "from: a time in seconds from 0 on, got -1"),
    ({"to_s": float("nan")}, "to: a time in seconds from 0 on, got nan"),
    ({"from_s": 3.1, "to_s": 3.9, "stages": (0,)}, "has nothing between 3.1 and 3.9 s of its 28"),
    ({"colour": "stalenes"}, "did you mean staleness?"),
    ({"colour": "distance"}, "distance is known of runs that were trained")])
def test_what_is_not_there_is_told_as_a_mistake(trace, options, says):
    with pytest.raises(ConfigurationError) as error:
        OWN.rows(named(trace), Wanted(**options))
    assert says in str(error.value)


def test_rows_survive_their_table_and_draw_the_same(trace, tmp_path):
    wanted = Wanted(minibatches=(4,), to_s=16.0)
    rows = OWN.rows(named(trace), wanted)
    path = tmp_path / "timeline.csv"
    path.write_text(rows_as_csv(rows))
    assert read_rows(path) == rows
    assert OWN.message(read_rows(path)) == OWN.message(rows)


def test_drawing_on_ones_own_axes_changes_no_setting(trace):
    before = dict(mpl.rcParams)
    figure = Figure(figsize=(7, 4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    assert figures.timeline(trace, ax=above, minibatch=4, legend=False) is above
    figures.timeline(trace, ax=below, minibatches=[4, 5], colour="minibatch")
    assert above.get_legend() is None
    assert below.get_legend() is not None
    assert dict(mpl.rcParams) == before


def test_traces_without_names_are_told_apart(trace):
    other = sim.run(mitigation="stash", **QUICK)
    assert [run.name for run in named([trace, other, trace])] == [
        "none@round-robin (1)", "stash@round-robin", "none@round-robin (2)"]


def test_numbers_are_written_as_they_are_read():
    assert [number(value) for value in (0, 24.0, 4004.0, 0.00125, 12.3456789)] == [
        "0", "24", "4,004", "0.00125", "12.3457"]
    assert ranges([7, 0, 1, 2]) == "0-2 7"
    assert numbers("[0-2 7]") == [0, 1, 2, 7]
    assert numbers(3) == [3]
    assert [unit_of(span)[0] for span in (2.0, 0.05, 2e-5)] == ["s", "ms", "µs"]


@pytest.fixture(scope="module")
def paired():
    return sim.run(task="none", schedule="dualpipe", stages=4, microbatches=8, minibatches=2,
                   overlapped_s=1.5)


@pytest.mark.parametrize("options", [{}, {"minibatches": (1,)}, {"from_s": 5.0, "to_s": 12.0}])
def test_a_pair_that_runs_as_one_has_a_box_in_halves(paired, options):
    figure, rows, ill = picture(named(paired), Look(title=""), **options)
    assert ill == []
    pairs = as_one(rows)
    assert len(pairs) == len({(row["device"], row["start_s"]) for row in rows
                              if row["end_s"] - row["start_s"] == 1.5}) > 0
    across, upright = spans(rows, lanes(rows, bool(options.get("minibatches"))), 1.0)
    for first, second in pairs:
        assert (across[first] == across[second]).all()
        assert upright[first, 0] < upright[first, 1] == upright[second, 0] < upright[second, 1]
    shown = texts(figure)
    if "from_s" in options:
        assert {"F1.3", "B1.5"} <= set(shown)  # a pair of device 0


def test_a_pair_counts_once_in_what_devices_compute(paired):
    rows = OWN.rows(named(paired), Wanted(from_s=0.0, to_s=float(paired.end_s.max())))
    busy = 100 * (1 - analysis.report(paired)["bubble_fraction"])
    assert message(rows) == f"Devices compute {busy:.0f} % of the time shown"
