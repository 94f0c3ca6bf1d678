"""The pictures of a validation: timelines in pairs, steps and memory, errors of events."""

import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

import sim
from figures.bundles.validation import draw
from figures.drawing.colours import COLOURS
from figures.drawing.look import Look
from figures.origin import read_origin
from figures.traces.passes.names import Names
from figures.traces.validated import event_errors, pairs, scatter, settings
from figures.traces.validated.library import validation
from sim.errors import ConfigurationError
from tests.figures.legible import complaints, drawn


def row(run, schedule, device=0, minibatch=1, op="F", at=0.0, **times):
    """An event predicted to take 1 s from `at` on, that took 2 from twice as late on."""
    return {"run": run, "schedule": schedule, "device": device, "stage": device, "op": op,
            "minibatch": minibatch, "predicted_start_s": at, "predicted_end_s": at + 1.0,
            "measured_start_s": 2 * at, "measured_end_s": 2 * at + 2.0, **times}


def steady(run="a", schedule="gpipe", minibatches=12, devices=2):
    return [row(run, schedule, d, m, at=2 * m + d) for m in range(1, minibatches + 1)
            for d in range(devices)]


def test_one_run_of_each_schedule_in_steady_state():
    rows = steady("a") + steady("b") + steady("c", "1f1b")
    shown = pairs.chosen(rows)
    assert {r["run"] for r in shown} == {"a", "c"}
    seen = {r["minibatch"] for r in shown if r["shown"]}
    assert seen == set(range(5, 5 + pairs.MINIBATCHES))  # the steady ones are 3 to 10
    assert pairs.message(shown) == ("Every device kept the predicted order; mini-batches 5 to "
                                        "8 took 100 % longer than predicted")


def test_neighbours_are_kept_where_they_lie_between_and_no_others():
    rows = [*steady(), row("a", "gpipe", 1, 2, op="B", at=10.5), row("a", "gpipe", 0, 9, at=99.0)]
    shown = pairs.chosen(rows)
    assert [(r["minibatch"], r["op"]) for r in shown if not r["shown"]] == [(2, "B")]


def test_a_short_run_is_shown_from_where_it_can():
    assert {r["minibatch"] for r in pairs.chosen(steady(minibatches=3))} == {1, 2, 3}


@pytest.mark.parametrize(("low", "high", "said"), [
    (0.001, 0.004, "as long as predicted"), (0.03, 0.27, "3 to 27 % longer than predicted"),
    (-0.01, 0.24, "between 1 % shorter and 24 % longer than predicted"),
    (-0.08, -0.02, "2 to 8 % shorter than predicted"), (0.0, 0.3, "up to 30 % longer than "
                                                                   "predicted"),
    (-0.004, 0.3, "up to 30 % longer than predicted"), (0.1, 0.1, "10 % longer than predicted")])
def test_the_headline_says_how_long_it_took_in_words(low, high, said):
    assert pairs._took(low, high) == said


def test_an_order_that_was_not_kept_is_said():
    rows = pairs.chosen(steady())
    first = next(r for r in rows if r["minibatch"] == 5)
    first["measured_start_s"] = 1000.0
    assert "did NOT keep" in pairs.message(rows)


def written(figure, axis):
    """The texts that are really drawn in the boxes of a panel."""
    names = next(each for each in axis.artists if isinstance(each, Names))
    own = {id(text) for text in names.texts}
    return sorted(text.get_text() for text, _ in drawn(figure) if id(text) in own)


@pytest.mark.parametrize("look", [Look(), Look(width_in=3.33, title="A title")])
def test_every_device_has_a_lane_for_each_side_and_numbers_in_its_boxes(look):
    with look.worn():
        figure = pairs.draw(pairs.chosen(steady() + steady("c", "1f1b")), look)
        if look.title:
            assert list(complaints(figure, look.width_in)) == []
        for axis, name in zip(figure.axes, "ac", strict=True):
            assert [t.get_text() for t in axis.get_yticklabels()] == [
                f"{d} {side}" for d in (0, 1) for side in ("predicted", "measured")]
            assert written(figure, axis) == sorted(4 * ["F5", "F6", "F7", "F8"])
            assert axis.get_xlim()[0] == 0
            assert axis.get_xlabel() == "time (s): 100 % longer than predicted"
            assert name in {text.get_text() for text, _ in drawn(figure)}


def test_a_box_too_narrow_for_its_number_has_none():
    narrow = [{**r, "predicted_end_s": r["predicted_start_s"] + 0.01} for r in steady()]
    figure = pairs.draw(pairs.chosen(narrow))
    assert len(written(figure, figure.axes[0])) == 2 * pairs.MINIBATCHES  # measured ones alone


def run_entry(label, step, measured, memory, **names):
    return {"label": label, "schedule": "round-robin", "mitigation": "none", "microbatches": 1,
            "batch_size": 64, "image_size": 128, **names,
            "statistical": {"step_time_predicted_s": step, "step_time_measured_s": measured},
            "memory": [{"device": str(n), "predicted_bytes": p, "measured_bytes": m,
                        "rel_error": None if p is None else abs(p / m - 1)}
                       for n, (p, m) in enumerate(memory)]}


REPORT = {"model": "resnet50", "command": "it", "runs": [
    run_entry("none", 1.0, 1.01, [(100.0, 101.0), (100.0, 120.0)]),
    run_entry("stash", 1.0, 1.5, [(98.0, 100.0)], mitigation="stash"),
    run_entry("gpipe", 2.0, 2.02, [(None, 100.0)], schedule="gpipe", microbatches=4)]}


def test_memory_is_that_of_the_device_predicted_worst():
    rows = scatter.chosen([REPORT])
    assert [r["measured_memory_bytes"] for r in rows] == [120.0, 100.0, None]
    assert scatter.message(rows) == ("Predicted within the aims: the step of 2 of 3 runs (2 %), "
                                     "peak memory of 1 of 2 runs (3 %)")


def test_what_is_further_off_than_the_outer_band_is_named_and_no_more():
    figure = scatter.draw(scatter.chosen([REPORT]))
    texts = {axis.get_ylabel(): [t.get_text() for t in axis.texts] for axis in figure.axes}
    above, below = figure.axes[:2], figure.axes[2:]
    assert [t.get_text() for t in below[0].texts if t.get_text()] == ["stash"]
    assert [t.get_text() for t in below[1].texts if t.get_text()] == ["none"]
    assert not any(axis.texts for axis in above)
    assert texts
    assert list(complaints(figure)) == []


def test_marks_stand_at_their_numbers_and_hollow_ones_are_cut_into_micro_batches():
    figure = scatter.draw(scatter.chosen([REPORT]))
    above, below = figure.axes[0], figure.axes[2]
    marks = [line for line in above.lines if line.get_marker() == "o"]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in marks] == [
        pytest.approx((1e3 * m, 1e3 * p)) for p, m in ((1.0, 1.01), (1.0, 1.5), (2.0, 2.02))]
    assert [line.get_markerfacecolor() == "white" for line in marks] == [False, False, True]
    errors = [line.get_ydata()[0] for line in below.lines if line.get_marker() == "o"]
    assert errors == pytest.approx([100 * (1 / ratio - 1) for ratio in (1.01, 1.5, 1.01)])


def test_many_runs_of_many_settings_can_be_read():
    rng = np.random.default_rng(0)
    programs = [("none", "sequential", 1), ("none", "gpipe", 4), ("stash", "round-robin", 1),
                ("timeprest", "nf1b", 4), ("nwpt", "round-robin", 1)]
    reports = [{"model": model, "runs": [
        run_entry("x", m * (1 + rng.normal(0, 0.04)), m, [(1e9 * m * 10, 1.1e9 * m * 10)],
                  mitigation=mitigation, schedule=schedule, microbatches=micro, image_size=size)
        for size in (128, 224) for mitigation, schedule, micro in programs
        for m in [rng.uniform(0.02, 0.2)]]} for model in ("resnet50", "vgg16")]
    assert list(complaints(scatter.draw(scatter.chosen(reports)))) == []


def test_a_method_has_the_colour_it_has_elsewhere():
    assert settings.colour("sequential") == COLOURS["black"]
    assert settings.colour("spectrain") == COLOURS["blue"]
    assert settings.colour("timeprest") == COLOURS["wine"]
    assert settings.colour("of-a-plugin") == COLOURS["grey"]


@pytest.mark.parametrize(("low", "high"), [(3, 150), (80, 130), (9.5, 10.6), (3, 12_000)])
def test_axes_have_a_few_round_numbers(low, high):
    ticks = scatter._ticks(low, high)
    assert 1 <= len(ticks) <= 12
    assert all(low <= tick <= high for tick in ticks)
    assert len(ticks) >= scatter.FEW or high / low < 1.2


def events(errors, op="F"):
    """Events predicted to take 1 s that took so much that the error is the one given."""
    return [{"op": op, "minibatch": n + 1, "predicted_start_s": 0.0, "predicted_end_s": 1.0,
             "measured_start_s": 0.0, "measured_end_s": 1.0 / (1 + error)}
            for n, error in enumerate(errors)]


def test_errors_are_counted_by_operation_and_what_lies_beyond_in_the_outermost_bins():
    rows = event_errors.chosen([REPORT], [events([-0.9, 0.01, 0.02, 0.3, 4.0])
                                          + events([0.04, 0.2], "B")])
    forward = [r for r in rows if r["op"] == "F"]
    assert [(r["from"], r["to"], r["events"]) for r in forward] == [
        (-0.5, -0.475, 1), (0.0, 0.025, 2), (0.3, 0.325, 1), (0.475, 0.5, 1)]
    assert [r["of_first_minibatch"] for r in forward] == [1, 0, 0, 0]
    assert {r["within_aim"] for r in forward} == {0.4}
    assert event_errors.message(rows) == ("Predicted within 5 % of their duration: 40 % of F and "
                                          "50 % of B events")


def test_the_histogram_has_a_panel_for_each_operation_and_network():
    other = {**REPORT, "model": "vgg16"}
    rows = event_errors.chosen([REPORT, other], [events([0.01]) + events([0.2], "I"),
                                                 events([-0.02])])
    figure = event_errors.draw(rows)
    assert len(figure.axes) == 4
    assert sum(bar.get_height() for bar in figure.axes[0].patches[1:]) == pytest.approx(100)
    said = {text.get_text() for text, _ in drawn(figure)}
    assert any("ResNet-50" in text for text in said)
    assert any("VGG-16" in text for text in said)
    assert list(complaints(figure)) == []


@pytest.fixture
def folder(tmp_path):
    from sim.rows import rows_as_csv

    rows = [{**r, "run": "none"} for r in steady(schedule="round-robin")]
    (tmp_path / "report.json").write_text(json.dumps(REPORT))
    (tmp_path / "rows.csv").write_text(rows_as_csv(rows))
    return tmp_path


def test_a_folder_is_drawn_from_its_files_alone(folder, tmp_path):
    out = tmp_path / "pictures"
    written = draw([folder], out, "the command")
    assert {path.name for path in written} == {
        f"{name}.{kind}" for name in ("validation", "scatter", "event_errors")
        for kind in ("png", "svg", "pdf", "csv")}
    assert all(path.exists() for path in written)
    assert read_origin(out / "scatter.png").command == "the command"


def test_runs_of_two_networks_are_told_apart(folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "report.json").write_text(json.dumps({**REPORT, "model": "vgg16"}))
    (other / "rows.csv").write_text((folder / "rows.csv").read_text().replace(
        "round-robin", "gpipe"))
    draw([folder, other], tmp_path / "both", "", Look(formats=("png",)))
    table = (tmp_path / "both" / "validation.csv").read_text()
    assert '"ResNet-50, none"' in table
    assert '"VGG-16, none"' in table


def test_a_run_of_a_report_with_several_networks_is_of_its_own(folder):
    both = {**REPORT, "model": "resnet50, vgg16",
            "runs": [{**REPORT["runs"][0], "model": "vgg16"}, {**REPORT["runs"][1],
                                                               "model": "resnet50"}]}
    assert [r["model"] for r in scatter.chosen([both])] == ["vgg16", "resnet50"]
    named = [{**e, "model": "vgg16"} for e in events([0.01])]
    assert {r["model"] for r in event_errors.chosen([both], [named])} == {"vgg16"}


def test_the_same_run_in_two_folders_is_drawn_once(folder, tmp_path, monkeypatch):
    drawn = {}
    monkeypatch.setattr("figures.bundles.validation.save", lambda figure, rows, out, name, *_, **__:
                        drawn.setdefault(name, []).append(len(rows)) or [])
    for folders in ([folder], [folder, folder]):
        draw(folders, tmp_path, "")
    once, twice = drawn["validation"]
    assert once == twice > 0


@pytest.mark.parametrize(("name", "text", "said"), [
    ("report.json", None, "there is no such file"), ("rows.csv", None, "there is no such file"),
    ("report.json", "{", "not JSON"), ("report.json", "{}", "not the report of a validation"),
    ("report.json", '{"runs": [{}]}', "not what a validation wrote"),
    ("rows.csv", "a,b\n1,2\n", "not what a validation wrote")])
def test_a_folder_that_is_none_is_told_as_a_mistake(folder, name, text, said):
    (folder / name).unlink()
    if text is not None:
        (folder / name).write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        draw([folder], folder / "out", "")
    assert not (folder / "out").exists()


MEASURED = Path(__file__).parents[2] / "figures" / "measured" / "cpu-2core" / "validate"


def test_one_panel_is_drawn_on_axes_of_ones_own():
    axes = Figure(figsize=(3.33, 12), layout="constrained").subplots(4, 1)
    assert validation(MEASURED, axes[0], run="none@round-robin, batch 16, 32 px") is axes[0]
    validation([MEASURED], axes[1], show="step")
    validation(str(MEASURED), axes[2], show="memory", legend=False)
    validation(MEASURED, axes[3], show="durations", op="B")
    assert {"F6", "B9"} <= {text for names in axes[0].artists if isinstance(names, Names)
                            for text in names.forms[0]}
    assert [axis.get_xlabel() for axis in axes] == [
        "time (ms)", "measured step (ms)", "measured peak memory (MB)", "predicted too long (%)"]
    assert [axis.get_legend() is None for axis in axes] == [False, False, True, True]
    assert sum(bar.get_height() for bar in axes[3].patches[1:]) == pytest.approx(100)


def test_a_pair_of_traces_is_a_validation_too():
    predicted = sim.run(task="none", minibatches=12)
    measured = sim.run(task="none", minibatches=12, forward_s=1.1)
    axes = Figure().subplots(2, 1)
    validation((predicted, measured), axes[0])
    validation((predicted, measured), axes[1], show="durations")
    assert axes[1].get_xlabel() == "predicted too long (%)"
    with pytest.raises(ConfigurationError, match="has no step to show"):
        validation((predicted, measured), axes[0], show="step")
    with pytest.raises(ConfigurationError, match="of one program, got two"):
        validation((predicted, sim.run(task="none", minibatches=13)), axes[0])


@pytest.mark.parametrize(("options", "says"), [
    ({"show": "setp"}, "did you mean step?"), ({"op": "f"}, "choose from F, B, I, W, U"),
    ({"run": "nine@gpipe"}, "run 'nine@gpipe' is unknown (did you mean none@gpipe"),
    ({"show": "durations", "op": "I"}, "there are no events of I")])
def test_a_panel_that_is_not_there_is_told_as_a_mistake(options, says):
    with pytest.raises(ConfigurationError) as error:
        validation(MEASURED, Figure().subplots(), **options)
    assert says in str(error.value)
