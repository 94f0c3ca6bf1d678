"""Every schedule drawn at unit costs looks like the picture in tests/golden."""

from pathlib import Path

import pytest

from tests.oracles.grid import grid, read_grid
from tests.sim.experiments import TIMES, simulate

GOLDEN = Path(__file__).parents[1] / "golden"
WHOLE = [
    ("round-robin", 5, 1),
    ("gpipe", 2, 3),
    ("1f1b", 2, 4),
    ("sequential", 2, 2),
]
FILES = {"round-robin": "round_robin", "1f1b": "one_f_one_b"}


def golden(schedule: str) -> list[list[str]]:
    return read_grid((GOLDEN / f"{FILES.get(schedule, schedule)}.txt").read_text())


def drawn(schedule: str, minibatches: int, microbatches: int) -> list[list[str]]:
    return grid(simulate(schedule=schedule, stages=3, minibatches=minibatches, batch_size=12,
                         microbatches=microbatches, **TIMES))


@pytest.mark.parametrize(("schedule", "minibatches", "microbatches"), WHOLE)
def test_the_whole_grid_is_the_golden_one(schedule, minibatches, microbatches):
    assert drawn(schedule, minibatches, microbatches) == golden(schedule)


@pytest.mark.parametrize("minibatches", [5, 6, 9])
def test_nf1b_begins_as_in_the_papers_picture(minibatches):
    rows = drawn("nf1b", minibatches, 2)
    assert len(rows) == 3
    for cells, picture in zip(rows, golden("nf1b"), strict=True):
        assert cells[: len(picture)] == picture


def test_the_order_of_nf1b_does_not_follow_the_costs():
    same = {"schedule": "nf1b", "stages": 4, "minibatches": 6, "microbatches": 2, **TIMES}
    slow = simulate(**same, backward_s=[0.1, 7.0, 0.3, 5.0], forward_s=[3.0, 0.2, 4.0, 1.0])
    unit = simulate(**same)
    assert [str(slow.instruction(i)) for i in range(len(slow))] == [
        str(unit.instruction(i)) for i in range(len(unit))]
