"""The examples: each says what it asks and how it is run, is named in the documents, and runs."""

import importlib
import re
import runpy
import shlex
from pathlib import Path

import click
import pytest

from figures.own.inputs import sources
from sim.experiment.configuration import read_experiment
from sim.schedules import SCHEDULES
from tests.docs.documents import NAMES, ROOT, text_of

FOLDER = ROOT / "figures" / "experiments"
NO_EXPERIMENTS = ("sweep.toml", "ranges.toml")  # a sweep, and a mapping of a profiler's ranges
FILES = sorted(path for path in FOLDER.glob("*.toml") if path.name not in NO_EXPERIMENTS)
USES = ("plan-without-gpus", "compare-mitigations", "validate-two-gpus", "own-schedule",
        "own-profile", "drift", "slowing-down")


@pytest.fixture
def grouped(monkeypatch: pytest.MonkeyPatch):
    """The schedule of the example, and none of its name afterwards."""
    monkeypatch.setattr(SCHEDULES, "_items", {name: SCHEDULES[name] for name in SCHEDULES.names()})
    runpy.run_path(str(FOLDER / "own_schedule.py"))


def opening(path: Path) -> str:
    """The comment that a file begins with, its lines joined."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return "\n".join(lines).replace("\\\n", " ")


def options(words: list[str]) -> set[str]:
    """The options of the command that these words begin with."""
    door = importlib.import_module(f"{words[2]}.__main__").main
    name = words[3] if words[3] in door.commands else "draw"
    command = door.get_command(click.Context(door), name)
    return {option for each in command.params for option in each.opts}


@pytest.mark.parametrize("name", USES)
def test_an_example_says_what_it_asks_its_commands_and_what_to_look_at(name) -> None:
    text = opening(FOLDER / f"{name}.toml")
    assert "?" in text.split("python -m")[0]
    assert "Look at:" in text
    commands = re.findall(r"^python -m .*$", text, re.M)
    assert len(commands) >= 2
    for command in commands:
        words = shlex.split(command)
        assert {word for word in words if word.startswith("--")} <= options(words)
        assert all((ROOT / word).exists() for word in words if word.startswith("figures/"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_example_is_named_in_a_document(path) -> None:
    assert any(path.name in text_of(name) or path.stem in text_of(name) for name in NAMES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.usefixtures("grouped")
def test_every_example_runs(path, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    few = min(read_experiment(path).pipeline.minibatches, 18)
    (source,) = sources([path], (f"minibatches={few}", "evaluate_every=0"), None)
    run = source.run(training=False)
    assert len(run.trace) > 0
    assert run.trace.end_s.max() > 0


def test_a_drifting_device_sets_the_pace() -> None:
    import sim

    path = FOLDER / "drift.toml"
    trace = sim.run(path, minibatches=80)
    busy = [float((trace.end_s - trace.start_s)[trace.device == k].sum()) for k in range(4)]
    assert max(busy) == busy[1] > 1.3 * busy[0]
