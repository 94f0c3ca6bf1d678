"""The product against the simulator written a second time (`tests.oracles.apart`): random
experiments of every schedule, mitigation, task, reading, link, cost and number of workers.

Weights within 1e-12 relative, everything else (orders, versions, times to the tick, bytes) equal.
"""

import ast
from pathlib import Path

import pytest

from tests.oracles.apart.case import Pass
from tests.oracles.apart.draw import draw
from tests.sim.against import differences

APART = Path(__file__).parents[1] / "oracles" / "apart"
PRODUCT = {"sim", "analysis", "figures", "gpu"}


def disagreements(seeds: range) -> dict[int, list[str]]:
    """Every fifth goes through the events, the reference; the exact engine runs the others."""
    found = {seed: differences(*draw(seed), engine="auto" if seed % 5 else "simpy")
             for seed in seeds}
    return {seed: lines for seed, lines in found.items() if lines}


@pytest.mark.parametrize("first", range(0, 80, 20))
def test_random_experiments_agree(first):
    assert not disagreements(range(first, first + 20))


@pytest.mark.parametrize("microbatches", [2, 3])
def test_greedy_dispatch_flushes_where_a_device_has_several_stages(microbatches):
    assert not differences({"schedule": "interleaved", "chunks": 2, "stages": 4, "minibatches": 3,
                            "microbatches": microbatches, "task": "quadratic",
                            "dispatch": "greedy"})


def test_points_of_a_curve_count_updates_done_where_those_come_in_another_order():
    order = ((Pass("F", 0, 0, 1), Pass("F", 0, 1, 1), Pass("B", 0, 1, 1), Pass("U", 0, 1, 1),
              Pass("B", 0, 0, 1), Pass("U", 0, 0, 1)),)
    keys = {"schedule": "file", "stages": 1, "minibatches": 2, "task": "quadratic",
            "evaluate_every": 1}
    assert not differences(keys, order)


@pytest.mark.verify
@pytest.mark.parametrize("first", range(10_000, 13_000, 100))
def test_many_random_experiments_agree(first):
    assert not disagreements(range(first, first + 100))


def test_what_is_written_apart_imports_nothing_of_the_product():
    files = sorted(APART.glob("*.py"))
    assert files
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else (
                [node.module or ""] if isinstance(node, ast.ImportFrom) else [])
            for name in names:
                assert name.split(".")[0] not in PRODUCT, f"{path.name} imports {name}"
                assert not name.startswith("tests.") or name.startswith("tests.oracles.apart")
