"""One command for a machine: steps under caps, a folder with a page, nine minutes at most."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from gpu.__main__ import main
from gpu.studies import measure
from gpu.studies.measure import LIMIT_S, Step, ending, execute, page, steps


@pytest.mark.parametrize("devices", ["cpu,cpu", "cuda:0/2", "cuda:0,cuda:1"])
def test_all_caps_together_are_nine_minutes_at_most(devices):
    todo = steps(devices, Path("out"))
    assert sum(step.cap_s for step in todo) <= LIMIT_S == 540
    assert len({step.name for step in todo}) == len(todo)
    for step in todo:
        name, *options = step.arguments
        assert main.commands[name].make_context(name, options).params["devices"] == devices


def test_a_step_that_fails_or_is_capped_does_not_stop_the_others():
    todo = [Step("wrong", 60, ("profile", "--devices", "tpu")),
            Step("late", 0.2, ("run",)), Step("fine", 60, ("--help",))]
    said = []
    outcomes = execute(todo, said.append)
    assert [o.code for o in outcomes] == [2, None, 0]
    assert "'tpu' is not a device" in ending(outcomes[0])
    assert ending(outcomes[1]) == "stopped at its cap"
    text = page(outcomes, "a-machine", "python -m gpu measure")
    assert "# a-machine" in text
    assert "| [late](late) | stopped at its cap |" in text
    assert len(said) == 6


def test_too_long_a_list_is_refused():
    with pytest.raises(ValueError, match="exceed 540 s"):
        execute([Step("long", LIMIT_S + 1, ("run",))], print)


@pytest.mark.slow
def test_the_door_measures_cpus(monkeypatch, tmp_path):
    def small(devices, out):
        more = ("--devices", devices, "--set", "minibatches=3", "--set", "batch_size=4")
        return [Step("profile", 100, ("profile", "--out", str(out / "profile"), *more)),
                Step("validate", 100, ("validate", "--out", str(out / "validate"), "--grid", "none",
                                       "--repeats", "1", *more))]

    monkeypatch.setattr(measure, "steps", small)
    monkeypatch.setattr(sys, "argv", ["gpu", "measure"])
    result = CliRunner().invoke(main, ["measure", "--devices", "cpu,cpu", "--out",
                                       str(tmp_path / "machine")])
    assert result.exit_code == 0, result.output
    names = {p.relative_to(tmp_path / "machine").as_posix()
             for p in (tmp_path / "machine").rglob("*") if p.is_file()}
    assert {"README.md", "profile/profile.json", "validate/report.json", "validate/report.md",
            "validate/rows.csv", "validate/validation.png"} <= names
    assert "| [validate](validate) | done |" in (tmp_path / "machine" / "README.md").read_text()
