"""One command for a machine: steps under caps, a folder with a page, nine minutes at most."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from gpu.__main__ import main
from gpu.studies.measure import steps as steps_module
from gpu.studies.measure.execute import Outcome, ending, execute
from gpu.studies.measure.page import page
from gpu.studies.measure.steps import FINISH_S, LIMIT_S, Step, steps


@pytest.mark.parametrize("devices", ["cpu,cpu", "cuda:0/2", "cuda:0,cuda:1"])
def test_all_caps_together_are_nine_minutes_at_most(devices):
    todo = steps(devices, Path("out"))
    assert sum(step.cap_s for step in todo) <= LIMIT_S == 540
    assert len({step.name for step in todo}) == len(todo)
    for step in todo:
        name, *options = step.command(step.cap_s)
        assert main.commands[name].make_context(name, options).params["devices"] == devices
        assert step.command(step.cap_s).count("--within") == (name != "profile")


def grids(todo):
    return {step.name: step.arguments[step.arguments.index("--grid") + 1]
            for step in todo if "--grid" in step.arguments}


def test_a_gpu_goes_through_what_is_to_be_shown():
    """Ten programs captured, a few of them eager, gpipe alone, interleaved, tutorial, wide grid."""
    todo = steps("cuda:0/2", Path("out"))
    asked = grids(todo)
    ten = asked["validate-resnet50"].split(",")
    assert len(set(ten)) == 10
    assert {"none@gpipe/4", "none@gpipe/8"} <= set(ten)
    assert any("nf1b" in each for each in ten)
    assert set(asked["validate-eager"].split(",")) < set(ten)
    by_name = {step.name: step for step in todo}
    assert "off" in by_name["validate-eager"].arguments
    assert "--full" in by_name["tutorial"].arguments
    assert "--grid" not in by_name["validate-wide"].arguments
    assert [step.name for step in todo if step.last] == ["validate-wide"] == [todo[-1].name]
    eager = steps("cuda:0/2", Path("out"), "off")
    assert "validate-eager" not in {step.name for step in eager}
    assert all("off" in step.arguments for step in eager)


def test_a_step_that_fails_or_is_capped_does_not_stop_the_others(tmp_path):
    todo = [Step("wrong", 60, ("profile", "--devices", "tpu")),
            Step("late", 0.2, ("run",)), Step("fine", 60, ("--help",))]
    said, written = [], []
    outcomes = execute(todo, said.append,
                       lambda found: written.append(page(found, todo, tmp_path / "a-machine",
                                                         "python -m gpu measure")))
    assert [o.code for o in outcomes] == [2, None, 0]
    assert "'tpu' is not a device" in ending(outcomes[0])
    assert ending(outcomes[1]) == "stopped at its cap"
    assert "# a-machine" in written[-1]
    assert "| [late](late) |  | stopped at its cap |" in written[-1]
    assert "| fine |  | not begun |" in written[0]
    assert len(said) == 6


@pytest.mark.verify
def test_a_step_is_interrupted_before_it_is_killed(tmp_path):
    outcome, = execute([Step("long", 32, ("run", "--set", "minibatches=50000"))], lambda line: None)
    assert outcome.code is None
    assert outcome.last_line == "error: interrupted; nothing was written"
    assert outcome.seconds < 32


def test_the_last_step_has_what_the_others_left(monkeypatch):
    given = []
    monkeypatch.setattr("gpu.studies.measure.execute._one", lambda step, cap_s: given.append(
        (step.name, step.command(cap_s))) or Outcome(step, 0, 1.0, "", cap_s))
    execute([Step("first", 400, ("run",), stops=True),
             Step("rest", 70, ("run",), stops=True, last=True)], lambda line: None)
    assert given[0] == ("first", ("run", "--within", f"{400 - FINISH_S}"))
    assert given[1] == ("rest", ("run", "--within", f"{540 - FINISH_S}"))


def test_the_page_counts_aims_and_what_was_not_begun(tmp_path):
    def run(step, memory):
        return {"statistical": {"step_time_rel_error": step, "event_duration_p95_rel": 0.2,
                                "event_start_p95_rel": None, "memory_rel_error": memory,
                                "step_time_predicted_s": 0.04, "step_time_measured_s": 0.05}}

    report = {"device": "a GPU", "devices": "cuda:0/2", "date": "2026-11-27",
              "libraries": {"torch": "2"}, "exact": {"passed": True},
              "targets": {"step_time_rel_error": 0.02, "event_duration_p95_rel": 0.05,
                          "event_start_p95_rel": 0.05, "memory_rel_error": 0.03},
              "runs": [run(0.01, 0.1), run(0.03, 0.01)],
              "refused": ["stash@gpipe/4: no time left", "timeprest: defined on nf1b",
                          "310 of 320 runs of the wide grid: no time left"]}
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "report.json").write_text(json.dumps(report))
    todo = [Step("v", 10, ("validate",))]
    text = page([Outcome(todo[0], 0, 3.0, "", 10)], todo, tmp_path, "it")
    assert "a GPU as `cuda:0/2`, 2026-11-27, torch 2." in text
    assert "| v | 2 | 311 | passed | 1 of 2 | 0 of 2 | 0 of 0 | 1 of 2 | – |" in text
    report["runs"] = report["runs"][:1]
    (tmp_path / "v" / "report.json").write_text(json.dumps(report))
    assert "| 40 / 50 ms |" in page([Outcome(todo[0], 0, 3.0, "", 10)], todo, tmp_path, "it")


def test_too_long_a_list_is_refused():
    with pytest.raises(ValueError, match="exceed 540 s"):
        execute([Step("long", LIMIT_S + 1, ("run",))], print)


@pytest.mark.parametrize(("options", "says"), [
    (["--program", "p.csv"], "--program p.csv: a machine is measured by programs of its own"),
    (["--graphs", "yes"], "'yes' is not one of 'auto', 'on', 'off'"),
    (["--devices", "cuda:77"], "cuda:77 is not there"),
])
def test_a_mistake_is_one_clear_line(options, says, tmp_path):
    result = CliRunner().invoke(main, ["measure", *options, "--out", str(tmp_path / "m")])
    assert result.exit_code == 2
    assert says in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.verify
def test_the_door_measures_cpus(monkeypatch, tmp_path):
    def small(devices, out, graphs):
        more = ("--devices", devices, "--set", "minibatches=3", "--set", "batch_size=4")
        return [Step("profile", 100, ("profile", "--out", str(out / "profile"), *more)),
                Step("validate", 100, ("validate", "--out", str(out / "validate"), "--grid", "none",
                                       "--repeats", "1", *more))]

    monkeypatch.setattr(steps_module, "steps", small)
    monkeypatch.setattr(sys, "argv", ["gpu", "measure"])
    result = CliRunner().invoke(main, ["measure", "--devices", "cpu,cpu", "--out",
                                       str(tmp_path / "machine")])
    assert result.exit_code == 0, result.output
    names = {p.relative_to(tmp_path / "machine").as_posix()
             for p in (tmp_path / "machine").rglob("*") if p.is_file()}
    assert {"README.md", "profile/profile.json", "validate/report.json", "validate/report.md",
            "validate/rows.csv", "validate/validation.png"} <= names
    text = (tmp_path / "machine" / "README.md").read_text()
    assert "| [validate](validate) |  | done |" in text
    assert "| validate | 1 | 0 | passed |" in text
