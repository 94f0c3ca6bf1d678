"""Without an optional part every command that needs it says in one line what to install."""

import json
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from sim.errors import CORE, PARTS, missing_part

ROOT = Path(__file__).parents[1]
# One process for all, with nothing loaded yet: a module that is there already would stay there
SCRIPT = """
import importlib, json, sys
from click.testing import CliRunner

told = []
for part, door, arguments in json.loads(sys.argv[1]):
    sys.modules[part] = None
    found = CliRunner().invoke(importlib.import_module(f"{door}.__main__").main, arguments)
    del sys.modules[part]
    told.append([found.exit_code, found.output, repr(found.exception)])
print(json.dumps(told))
"""
CALLS = [
    *(("torch", "gpu", [command]) for command in ("run", "profile", "validate", "staleness",
                                                  "tutorial")),
    ("torch", "gpu", ["measure", "--out", "measured"]),
    ("torch", "gpu", ["tensor"]),
    ("torch", "gpu", ["run", "--devices", "nothing"]),
    ("distributed", "sim", ["sweep", "sweep.toml", "--dask", "127.0.0.1:1"]),
    ("pyarrow", "analysis", ["export", "t.npz", "--format", "parquet", "--out", "t.parquet"]),
]


def test_every_command_that_needs_a_part_says_what_to_install(tmp_path):
    from sim.experiment.configuration import read_experiment
    from sim.experiment.run import run

    run(read_experiment(None, ["minibatches=8", "task=none"])).save(tmp_path / "t.npz")
    (tmp_path / "sweep.toml").write_text("[grid]\nseed = [1]\n")
    done = subprocess.run([sys.executable, "-c", SCRIPT, json.dumps(CALLS)], text=True,
                          cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
                          capture_output=True, check=True)
    for (part, door, arguments), (code, output, error) in zip(CALLS, json.loads(done.stdout),
                                                              strict=True):
        assert code == 2, (door, arguments, output, error)
        assert output == (f"error: {part} is not installed; pip install "
                          f"'pipestale[{PARTS[part]}]'\n"), (door, arguments)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["sweep.toml", "t.npz"]


@pytest.mark.parametrize("part", [*PARTS, *CORE])
def test_a_part_that_is_missing_is_told_from_one_that_is_broken(part, monkeypatch):
    missing = missing_part(ModuleNotFoundError("…", name=f"{part}.inner"))
    extra = f"[{PARTS[part]}]" if part in PARTS else ""
    assert str(missing) == f"{part} is not installed; pip install 'pipestale{extra}'"
    assert missing_part(ImportError("undefined symbol", name=part)) is None

    def absent(name):
        raise PackageNotFoundError

    monkeypatch.setattr("importlib.metadata.version", absent)  # of a copy that was not installed
    missing = missing_part(ModuleNotFoundError("…", name=part))
    assert str(missing).endswith(f"pip install -e '.{extra}' in the folder that pipestale lies in")
