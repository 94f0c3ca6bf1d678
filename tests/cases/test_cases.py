"""Every line of README.md: what a case takes, or why it is refused, through the door."""

import json
import shlex
from fractions import Fraction
from pathlib import Path

import pytest
from click.testing import CliRunner

from sim.__main__ import main as sim

pytestmark = pytest.mark.filterwarnings("error")
HERE = Path(__file__).parent
UNIT = ["--set", "task=none", "--set", "backward_s=2", "--set", "forward_s=1"]


def rows(columns: int) -> list[list[str]]:
    """The lines of the table with so many columns, but for its head."""
    lines = (HERE / "README.md").read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines
             if line.startswith("|") and "`sim " in line]
    return [row for row in cells if len(row) == columns]


def run(command: str, monkeypatch, *more: str):
    monkeypatch.chdir(HERE)
    name, *options = shlex.split(command.strip("`"))
    assert name == "sim"
    return CliRunner().invoke(sim, [options[0], *UNIT, *options[1:], *more])


RIGHT, REFUSED = rows(5), rows(3)


@pytest.mark.parametrize(("command", "seconds", "bubble"), [row[1:4] for row in RIGHT],
                         ids=[row[0] for row in RIGHT])
def test_a_case_takes_what_it_should(command, seconds, bubble, monkeypatch):
    result = run(command, monkeypatch, "--json")
    assert result.exit_code == 0, (result.output, result.exception)
    found = json.loads(result.stdout)
    assert found["makespan_s"] == float(seconds)
    if bubble:
        assert found["bubble_fraction"] == pytest.approx(float(Fraction(bubble)), abs=1e-12)


@pytest.mark.parametrize(("command", "said"), [row[1:] for row in REFUSED],
                         ids=[row[0] for row in REFUSED])
def test_a_case_is_refused_with_its_reason(command, said, monkeypatch):
    result = run(command, monkeypatch)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


def test_every_file_is_told_of():
    told = (HERE / "README.md").read_text(encoding="utf-8")
    files = [path.name for path in HERE.iterdir() if path.suffix in (".csv", ".txt", ".json")]
    assert [name for name in files if name not in told] == []


SAID = [
    ("bom.csv", "bom.csv is PyTorch's CSV (a byte order mark passed over): 2 stages on 2 devices, "
                "1 mini-batch of 2 micro-batches"),
    ("quoted.csv", "quoted.csv is PyTorch's CSV (quotes taken off): 2 stages"),
    ("semicolons.csv", "(cells separated by semicolons)"), ("tabs.csv", "separated by tabs"),
    ("none-cells.csv", "(cells that say None passed over)"),
    ("older-torch.csv", "is an older CSV (B read as the input half I, as W has the other)"),
    ("zero-bubble.csv", "is an older CSV (B read as the input half I, as W has the other)"),
    ("dualpipev.csv", "8 stages on 4 devices, 1 mini-batch of 10 micro-batches, 41 pairs"),
    ("messages.csv", "1 mini-batch of 2 micro-batches, messages"),
    ("replicated-stage.txt", "is the text form: 2 stages on 3 devices, 4 mini-batches of 1 "),
    ("uneven-batches.txt", "2 mini-batches of 2 micro-batches, the last of 1"),
    ("../golden/orders/dualpipe-4x8.txt", "is a program of two directions (cells separated by "
     "blanks, up micro-batches numbered from 4): 4 stages on 4 devices"),
]


@pytest.mark.parametrize(("file", "said"), SAID, ids=[file for file, _ in SAID])
def test_a_line_says_what_a_file_was_taken_for(file, said, monkeypatch):
    result = run(f"sim run --program {file} --json", monkeypatch)
    assert said in result.stderr
    assert json.loads(result.stdout)["schedule"] == "file"
