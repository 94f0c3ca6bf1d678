"""What two workers make of a sweep: time of one over twice the time of two.

Wall-clock, since work moves to other processes; the workers are warm, as they are in all but the
first seconds of a sweep, and every point is written to a fresh journal.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from analysis.sweep.points import Grid, Sweep
from analysis.sweep.pool import processes
from analysis.sweep.run import run_sweep
from tests.bench.turns import ratio


def sweep(points: int) -> Sweep:
    """Trainings of some 20 ms each."""
    return Sweep({"pipeline": {"stages": 4, "minibatches": 40}, "training": {"width": 32}},
                 Grid({"training.seed": list(range(points))}))


def measure(repeats: int = 5, points: int = 200) -> dict[str, dict[str, Any]]:
    """`sweep_efficiency_two_workers` (1 would be ideal), and its points a second."""
    asked, number = sweep(points), itertools.count()
    with tempfile.TemporaryDirectory() as folder:
        def once(workers: int) -> None:
            run_sweep(asked, Path(folder, str(next(number))), processes(workers))

        found = ratio(lambda: once(1), lambda: once(2), repeats, time.perf_counter)
    efficiency = {**found, "ratio": found["ratio"] / 2, "target": None,
                  "points_per_s": points / statistics.median(found["theirs"])}
    return {"sweep_efficiency_two_workers": efficiency}


if __name__ == "__main__":
    for name, found in measure().items():
        print(f"{name} {found['ratio']:.3f} ({found['points_per_s']:.1f} points/s)")
