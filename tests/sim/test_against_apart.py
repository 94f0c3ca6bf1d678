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
# what is being mended: what its differences begin with, and which experiments it is about
NOT_YET = ("steady_throughput", "peak_", "versions held")


def waits(keys) -> bool:
    alone_in_blocks = keys.get("count") == 1 and keys["combine"]["name"] == "block-momentum"
    no_version = keys["mitigation"].get("decay") == float("inf")
    return alone_in_blocks or no_version or (keys["backward"] == "recompute"
                                             and "activation_limit_bytes" in keys)


def disagreements(seeds: range) -> dict[int, list[str]]:
    found = {}
    for seed in seeds:
        keys, order = draw(seed)
        if not waits(keys):
            found[seed] = [line for line in differences(keys, order)
                           if not line.startswith(NOT_YET)]
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
