"""What `python -m sim --help` takes over `python -c "import click"`, processes in turns."""

from __future__ import annotations

import resource
import subprocess
import sys
from typing import Any

from tests.bench.turns import ratio

HELP = [sys.executable, "-m", "sim", "--help"]
CLICK = [sys.executable, "-c", "import click"]


def children_s() -> float:
    """CPU seconds of every process started and waited for so far."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def start(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def measure(repeats: int = 15) -> dict[str, dict[str, Any]]:
    """`help_over_click`, at most 1.5."""
    return {"help_over_click": ratio(lambda: start(HELP), lambda: start(CLICK), repeats,
                                     children_s)}


if __name__ == "__main__":
    for name, found in measure().items():
        print(f"{name} {found['ratio']:.3f}")
