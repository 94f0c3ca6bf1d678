"""Schedules, mitigations, tasks … of other distributions, and of single files for a try."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.toys import MITIGATION, SCHEDULE

ROOT = Path(__file__).parents[1]
TASK = '''
from sim.numerics.tasks import TASKS, task

@task("toy-bowl", rule="the quadratic under another name", source="this test")
def bowl(shape, options):
    return TASKS["quadratic"].make(shape, options)
'''
OPTIMIZER = '''
from dataclasses import dataclass
from typing import Any
from sim.numerics.optimizers import OptimizerKind, optimizer

@optimizer("toy-sgd", rule="no momentum, whatever is asked for", source="this test")
@dataclass(frozen=True)
class Plain(OptimizerKind):
    def start(self, momentum, convention, zero):
        return State(0.0, zero)

@dataclass
class State:
    momentum: float
    velocity: Any

    def step(self, weights, gradient, learning_rate):
        self.velocity = gradient
        return weights - learning_rate * gradient
'''
OPTIMIZERS = hasattr(importlib.import_module("sim.numerics.optimizers"), "OPTIMIZERS")
PARTS = {"schedules": ("toy-stack", SCHEDULE), "mitigations": ("toy-shrink", MITIGATION),
         "tasks": ("toy-bowl", TASK),
         **({"optimizers": ("toy-sgd", OPTIMIZER)} if OPTIMIZERS else {})}
SET = ("--set", "schedule=toy-stack", "--set", "microbatches=2", "--set", "minibatches=6",
       "--set", "task=toy-bowl")


@pytest.fixture(scope="module")
def distribution(tmp_path_factory) -> Path:
    """A folder as an installer leaves it: a package and what its distribution offers."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "toys").mkdir()
    (folder / "toys" / "__init__.py").write_text("")
    about = folder / "toys-1.0.dist-info"
    about.mkdir()
    about.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: toys\nVersion: 1.0\n")
    offers = []
    for group, (name, code) in PARTS.items():
        (folder / "toys" / f"{group}.py").write_text(code)
        offers.append(f"[pipestale.{group}]\n{name} = toys.{group}\n")
    about.joinpath("entry_points.txt").write_text("\n".join(offers))
    return folder


def python(*arguments: object, path: object = "", **more: str) -> subprocess.CompletedProcess:
    """Python with this repository and a folder on its path."""
    known = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), str(path)]))}
    return subprocess.run([sys.executable, *map(str, arguments)], env=known | more,
                          capture_output=True, text=True, check=False)


def told(done: subprocess.CompletedProcess) -> object:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refused(done: subprocess.CompletedProcess) -> str:
    """The one line of a call that fails as a user's mistake."""
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    return line


def test_another_distributions_things_are_listed(distribution):
    found = told(python("-m", "sim", "list", "--json", path=distribution))
    for kind, (name, _) in PARTS.items():
        assert name in [entry["name"] for entry in found[kind]]


def test_they_are_simulated_and_trained_through(distribution):
    found = told(python("-m", "sim", "run", *SET, "--set",
                        'mitigation={ name = "toy-shrink", factor = 0.25 }', "--json",
                        path=distribution))
    assert (found["schedule"], found["mitigation"]) == ("toy-stack", "toy-shrink(factor=0.25)")
    assert found["final_loss"] > 0


def test_they_are_compared_with_what_is_here(distribution):
    rows = told(python("-m", "sim", "compare", *SET, "--mitigations", "none,toy-shrink", "--json",
                       path=distribution))
    assert [row["mitigation"] for row in rows] == ["none", "toy-shrink"]
    assert rows[0]["final_loss"] < rows[1]["final_loss"]


def test_they_run_from_python(distribution):
    code = ("import sim\nassert 'toy-stack' in sim.schedules and 'toy-shrink' in sim.mitigations\n"
            "print(repr(sim.run(schedule='toy-stack', task='toy-bowl', minibatches=6)))")
    done = python("-c", code, path=distribution)
    assert "toy-stack, none" in done.stdout, done.stderr


@pytest.mark.skipif(not OPTIMIZERS, reason="optimizers are not registered by name")
def test_an_optimizer_trains(distribution):
    losses = [told(python("-m", "sim", "run", *SET, *more, "--json", path=distribution))
              for more in (("--set", "optimizer=toy-sgd"), ("--set", "momentum=0.0"))]
    assert losses[0]["final_loss"] == losses[1]["final_loss"]


@pytest.fixture
def plugin(tmp_path) -> Path:
    file = tmp_path / "my-try.py"
    file.write_text(SCHEDULE + MITIGATION)
    return file


def test_a_file_is_loaded_for_a_try_wherever_the_option_stands(plugin):
    more = ("--set", "schedule=toy-stack", "--set", "task=none", "--json")
    for arguments in (["run", "--plugin", plugin], ["--plugin", plugin, "run"]):
        assert told(python("-m", "sim", *arguments, *more))["schedule"] == "toy-stack"


def test_every_command_of_every_door_takes_a_plugin():
    for door in ("sim", "analysis", "figures", "gpu"):
        main = importlib.import_module(f"{door}.__main__").main
        for name in main.commands:
            assert "plugins" in [each.name for each in main.get_command(None, name).params]


def test_a_sweeps_workers_have_the_plugin_too(plugin, tmp_path):
    sweep = tmp_path / "sweep.toml"
    sweep.write_text('[experiment.pipeline]\nschedule = "toy-stack"\nminibatches = 4\n'
                     '[experiment.training]\ntask = "none"\n[grid]\n"pipeline.stages" = [2, 3]\n')
    rows = told(python("-m", "sim", "sweep", sweep, "--plugin", plugin, "--workers", 2, "--out",
                       tmp_path / "out", "--json"))
    assert [row["error"] for row in rows] == [None, None], rows


@pytest.mark.parametrize(("code", "says"), [
    ("1 / 0", "ZeroDivisionError: division by zero"),
    ("def", "SyntaxError"),
    ("import nowhere", "No module named 'nowhere'"),
    (SCHEDULE.replace("toy-stack", "gpipe"), "schedule 'gpipe' is registered twice"),
    (None, "No such file or directory"),
])
def test_a_broken_plugin_is_one_line(tmp_path, code, says):
    file = tmp_path / "broken.py"
    if code is not None:
        file.write_text(code)
    line = refused(python("-m", "sim", "list", "--plugin", file))
    assert f"--plugin {file}: " in line
    assert says in line


def test_a_broken_distribution_is_one_line_that_names_it(tmp_path):
    about = tmp_path / "bad-1.0.dist-info"
    about.mkdir()
    about.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: bad\nVersion: 1.0\n")
    about.joinpath("entry_points.txt").write_text("[pipestale.schedules]\nx = nowhere:thing\n")
    line = refused(python("-m", "sim", "run", path=tmp_path))
    assert "plugin x = nowhere:thing of bad: " in line
    assert "No module named 'nowhere'" in line
