"""The comparison with PyTorch's pipelining: both sides do the same work, or it ends there."""

import os
import subprocess

import pytest
import torch

from tests.bench.pipelining.cases import CHUNKS, SMALL, cases
from tests.bench.pipelining.compare import check, turns
from tests.bench.pipelining.ratios import NAME, ROOT, Seconds, ratios, torchrun

CASES = cases((SMALL,), 2)


def test_the_worst_case_has_the_bare_name():
    found = ratios([Seconds("gpipe", [1.0, 2.0, 3.0], [4.0, 4.0]), Seconds("1f1b", [5.0], [4.0])])
    assert [(each.name, each.value, each.meets) for each in found] == [
        (NAME, 1.25, False), (f"{NAME}_gpipe", 0.5, True), (f"{NAME}_1f1b", 1.25, False)]


class Side:
    def __init__(self, loss, weight):
        self.loss, self.weight = loss, weight

    def losses(self):
        return [1.0, self.loss]

    def weights(self):
        return {1: torch.tensor([1.0, self.weight], dtype=torch.float64)}


@pytest.mark.parametrize(("other", "what"), [
    (Side(2.0 + 1e-7, 3.0), "losses"), (Side(2.0, 3.0 + 1e-7), "weights of stage 1"),
    (Side(float("nan"), 3.0), "losses")])
def test_sides_that_differ_are_not_compared(other, what):
    check("gpipe", Side(2.0, 3.0), Side(2.0, 3.0 + 1e-10))
    with pytest.raises(SystemExit, match=f"different work.*{what}"):
        check("gpipe", Side(2.0, 3.0), other)


def test_sides_take_turns_step_by_step_or_run_by_run():
    assert turns(2, "cpu") == [("theirs", 0), ("ours", 0), ("ours", 1), ("theirs", 1)]
    assert turns(2, "cuda") == [("ours", 0), ("ours", 1), ("theirs", 0), ("theirs", 1)]


def test_every_case_is_a_program_of_its_schedule():
    assert [each.experiment.pipeline.schedule for each in CASES] == list(CHUNKS)
    assert [each.stages for each in CASES] == [2, 2, 4]


@pytest.mark.verify
def test_two_processes_compare_every_schedule_after_checking_it():
    done = subprocess.run(
        [*torchrun(), "-m", "tests.bench.pipelining", "--model", "narrow", "--image-size", "32",
         "--batch-size", "8", "--steps", "10"], capture_output=True, text=True, timeout=240,
        check=False, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-2000:]
    shown = [line.split(":")[0] for line in done.stdout.splitlines() if "steps)" in line]
    assert shown == [NAME, *(f"{name}_narrow" for name in CHUNKS)]
