"""How time and memory of a run grow with its size."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np

from sim.experiment.run import run
from sim.trace import COLUMNS
from tests.bench.engines import asked, recorded, tasks_of
from tests.bench.measure import Ratio, Sizes, Took, in_turns

FEW, MANY = {"stages": 16, "minibatches": 3125}, {"stages": 16, "minibatches": 312_500}
WEIGHED = {"stages": 16, "minibatches": 31_250}
REPEATS = 5


def time_per_task_growth(few: Sizes = FEW, many: Sizes = MANY) -> Ratio:
    """Microseconds per task of the larger run over the smaller's."""
    seconds = in_turns({name: recorded(sizes, "exact-periodic")
                        for name, sizes in (("many", many), ("few", few))}, REPEATS,
                       f"{tasks_of(many):,} tasks")
    return Ratio("time_per_task_growth", [1e6 * s / tasks_of(many) for s in seconds["many"]],
                 [1e6 * s / tasks_of(few) for s in seconds["few"]], "us/task", 1.5, False)


def extra_bytes_per_task(sizes: Sizes = WEIGHED) -> Took:
    """Peak of what is allocated in a run, less the trace's columns; the same every time."""
    experiment = asked(sizes)
    run(experiment, engine="exact-periodic")  # what a first run compiles is no run's own
    tracemalloc.start()
    trace = run(experiment, engine="exact-periodic")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    columns: dict[int, Any] = {}
    for name in COLUMNS:
        column = getattr(trace, name)
        while isinstance(column.base, np.ndarray):
            column = column.base
        columns[id(column)] = column.nbytes
    return Took("extra_bytes_per_task", [(peak - sum(columns.values())) / tasks_of(sizes)],
                "bytes", 32.0)
