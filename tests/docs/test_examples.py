"""What the documents show to copy: the toy plugins, the configuration, the sweep."""

import json
import re
import shlex
import subprocess
import sys
import tomllib

import pytest

from tests.docs.documents import ROOT, blocks, commands, text_of
from tests.docs.running import ENVIRONMENT

SIM = "sim/README.md"
TOYS = {block.file: block.text for block in blocks(SIM)
        if block.language == "python" and block.file}
LINES = [each.line for block in blocks(SIM) if block.language == "bash" for each in commands(block)]


@pytest.fixture
def toys(tmp_path):
    assert list(TOYS) == ["patient.py", "damped.py", "sign.py"]
    for name, text in TOYS.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def answer(line: str, folder):
    """What the command that begins so in the document prints, as JSON."""
    (command,) = [each for each in LINES if each.startswith(line)]
    done = subprocess.run([sys.executable, *shlex.split(command)[1:], "--json"], cwd=folder,
                          env=ENVIRONMENT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_toy_schedule_and_mitigation_run_as_printed(toys) -> None:
    plain, damped, elsewhere = answer("python -m sim compare --plugin patient.py", toys)
    assert plain["schedule"] == damped["schedule"] == "patient"
    assert damped["mitigation"] == "damped(strength=0.5)"
    assert plain["staleness"]["forward"] == [0.5, 0.5, 0.5]
    assert elsewhere["staleness"]["backward"] == [2, 1, 0]
    assert plain["final_loss"] != damped["final_loss"]


def test_toy_optimizer_learns_as_printed(toys) -> None:
    run = answer("python -m sim run --plugin sign.py", toys)
    assert not run["diverged"]
    assert run["final_loss"] < 2


def test_the_random_search_of_the_sweeps_comment_is_one(tmp_path) -> None:
    """The grid is read in the documents' test; here its other form."""
    from analysis.sweep.reading import read_sweep

    text = (ROOT / "figures/experiments/sweep.toml").read_text()
    grid, comment = text.split("# or instead of [grid]:\n")
    (tmp_path / "random.toml").write_text(
        grid.split("[grid]")[0] + re.sub(r"^# ", "", comment, flags=re.M))
    assert len(read_sweep(ROOT / "figures/experiments/sweep.toml")) == 6
    assert len(read_sweep(tmp_path / "random.toml")) == 200


def test_entry_points_shown_are_groups_that_are_looked_at() -> None:
    from sim.mitigations import MITIGATIONS
    from sim.numerics.optimizers import OPTIMIZERS
    from sim.numerics.tasks import TASKS
    from sim.schedules import SCHEDULES

    shown = re.findall(r'entry-points\."(pipestale\.\w+)"', text_of(SIM))
    assert shown == [each.group for each in (SCHEDULES, MITIGATIONS, OPTIMIZERS, TASKS)]


def test_the_profile_shown_is_one(tmp_path) -> None:
    from sim.times.profile import read_profile
    from sim.times.shared.machine import SharedMachine

    (text,) = [block.text for block in blocks(SIM) if block.language == "json"]
    (tmp_path / "profile.json").write_text(text)
    profile = read_profile(tmp_path / "profile.json")
    assert len(profile.stages) == 2
    assert SharedMachine.of(profile).hosts is not None


def test_the_setting_up_of_the_makefile_fixes_torch_and_a_users_does_not() -> None:
    fixed = dict(re.findall(r"^(torch|torchvision)==([\d.]+)$",
                            (ROOT / "constraints.txt").read_text(), re.M))
    assert set(fixed) == {"torch", "torchvision"}
    assert "--constraint constraints.txt" in (ROOT / "Makefile").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert not any("==" in each for each in project["optional-dependencies"]["gpu"])
