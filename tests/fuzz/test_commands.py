"""A few damaged inputs as the commands that people type, each in a process of its own."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.cases import case
from tests.fuzz.judge import Ending, fault_of, state

ROOT = Path(__file__).parents[2]
WITHIN_S = 120  # of a process, on a machine with much else to do
FEW = (("experiment", 3), ("trace-header", 1))
MORE = tuple((kind, number) for kind in (
    "experiment", "setting", "option", "out", "profile", "program", "trace-bytes", "trace-content",
    "trace-header", "journal") for number in range(20_000, 20_004))


def ends_well(kind: str, number: int, folder: Path) -> None:
    made = case(kind, number)
    here, temporary = folder / "here", folder / "temporary"
    here.mkdir()
    temporary.mkdir()
    made.lay_out(here)
    before = state(here)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error::RuntimeWarning",
                   "TMPDIR": str(temporary), "COLUMNS": "80"}
    command = [sys.executable, "-m", made.door,
               *(os.fsencode(each) for each in made.arguments)]
    done = subprocess.run(command, cwd=here, env=environment, capture_output=True, check=False,
                          timeout=WITHIN_S, stdin=subprocess.DEVNULL)
    ending = Ending(done.returncode, done.stdout.decode(errors="replace"),
                    done.stderr.decode(errors="replace"))
    fault = fault_of(made, ending, before, state(here))
    assert fault is None, f"{shlex.join(made.arguments)}\n{fault}\n{ending.err}"
    assert not any(temporary.iterdir())


@pytest.mark.parametrize(("kind", "number"), FEW)
def test_a_damaged_input_of_a_command_ends_well(kind: str, number: int, tmp_path: Path) -> None:
    ends_well(kind, number, tmp_path)


@pytest.mark.verify
@pytest.mark.parametrize(("kind", "number"), MORE)
def test_many_damaged_inputs_of_commands_end_well(kind: str, number: int, tmp_path: Path) -> None:
    ends_well(kind, number, tmp_path)
