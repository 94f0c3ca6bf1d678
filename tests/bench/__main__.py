"""`python -m tests.bench`: what recording every version costs, as ratios taken in one run.

Each ratio is ours over a plain program of the same work, written here as a user of SimPy or of
NumPy would, or over PyTorch's; it is checked first that both do the same work.  The sides take
turns (A B C A B C …) so that a noisy machine is noisy for all, times are CPU seconds of this
process on one thread (wall time where work is in other processes), and a ratio is that of the
medians.  What needs no numba is measured before
it is imported, since it would help those too.  What is no ratio is said at the end.
Prints a table and writes `bench.json` here; a missed target is marked, never an error.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from threadpoolctl import threadpool_limits

from sim.kernels.pairs import NUMBA, NUMPY
from tests.bench.batched import measure as measure_batched
from tests.bench.engines import (
    LARGE,
    SMALL,
    compiled_over_bare,
    exact_over_bare,
    exact_over_torch,
    replicas_over_bare,
    simpy_over_bare,
)
from tests.bench.growth import extra_bytes_per_task, time_per_task_growth
from tests.bench.measure import Ratio, Took
from tests.bench.ordering.rate import orders_judged
from tests.bench.pipelining.ratios import pipelining
from tests.bench.saying import machine, table
from tests.bench.solver import SOLVED, solver_time
from tests.bench.start_up import measure as measure_start_up
from tests.bench.sweeping import measure as measure_sweep
from tests.bench.training import training_ratios

EFFICIENT = 0.8  # of two workers: this project's own aim


def keep_freed_memory() -> None:
    """Have the C library keep what is freed, for every side alike.

    It hands freed blocks back to the system until it has seen a large one go; what would be timed
    then is how fast this machine maps pages.
    """
    large = np.ones(31 * 2**17)
    del large


def batched() -> list[Ratio]:
    """64 replicas on one array axis over 64 single trainings."""
    return [Ratio(name, found["ours"], found["theirs"], "s", found["target"], False)
            for name, found in measure_batched().items()]


def sweeping() -> list[Ratio]:
    """One worker's time over twice that of two; wall-clock, since work moves to processes."""
    return [Ratio(name, [s / 2 for s in found["ours"]], found["theirs"], "s", EFFICIENT, True)
            for name, found in measure_sweep().items()]


def start_up() -> list[Ratio]:
    """The door's help over a bare import of click."""
    return [Ratio(name, found["ours"], found["theirs"], "s", 1.5, False)
            for name, found in measure_start_up().items()]


def main() -> None:
    keep_freed_memory()
    with threadpool_limits(1):
        found: list[Ratio | Took] = [
            *simpy_over_bare(LARGE), *simpy_over_bare(SMALL, "_8x1000"), *exact_over_bare(LARGE),
            *replicas_over_bare(LARGE, NUMPY), *exact_over_torch(LARGE),
            *orders_judged(NUMPY), time_per_task_growth(), extra_bytes_per_task()]
        if "numba" in sys.modules:
            raise SystemExit("numba was imported before what is measured without it")
        found += [
            *orders_judged(NUMBA), *compiled_over_bare(LARGE), *replicas_over_bare(LARGE, NUMBA),
            *training_ratios(), *batched(), *sweeping(), *start_up(), solver_time(SOLVED),
            *pipelining()]
    about = machine()
    document = {**{each.name: each.document() for each in found}, "machine": about}
    path = Path(__file__).parents[2] / "bench.json"
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    console = Console(width=None if sys.stdout.isatty() else 110)
    console.print(table(found))
    console.print(", ".join(f"{key} {value}" for key, value in about.items()), highlight=False)
    console.print(f"written: {path}", highlight=False)


if __name__ == "__main__":
    main()
