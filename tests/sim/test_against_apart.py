"""The product against the simulator written a second time (`tests.oracles.apart`): random
experiments of every schedule, mitigation, task, reading, link, cost and number of workers.

Weights within 1e-12 relative, everything else (orders, versions, times to the tick, bytes) equal.
"""

import ast
from pathlib import Path

import pytest

from tests.oracles.apart.draw import draw
from tests.sim.against import differences

APART = Path(__file__).parents[1] / "oracles" / "apart"
PRODUCT = {"sim", "analysis", "figures", "gpu"}


def disagreements(seeds: range) -> dict[int, list[str]]:
    found = {seed: differences(*draw(seed)) for seed in seeds}
    return {seed: lines for seed, lines in found.items() if lines}


@pytest.mark.parametrize("first", range(0, 80, 20))
def test_random_experiments_agree(first):
    assert not disagreements(range(first, first + 20))


@pytest.mark.verify
@pytest.mark.parametrize("first", range(10_000, 14_000, 100))
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
