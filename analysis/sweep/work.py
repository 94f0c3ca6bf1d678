"""What a worker does: one point to its record, whatever happens."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Sequence
from typing import Any

from threadpoolctl import threadpool_limits

from analysis.comparison.compare import merge
from analysis.metrics.report import report
from analysis.sweep.journal import DIED, Record
from analysis.sweep.points import Point
from sim.experiment.batched import run_many
from sim.experiment.configuration import resolve
from sim.experiment.options import Experiment
from sim.experiment.run import run
from sim.experiment.setup import rows_of
from sim.trace import Trace

LOOK_AFTER_S = 0.5


def work(point: Point) -> Record:
    """The record of a point: what it set, and its report or the error that kept it from having one.

    Everything is derived from the point, so it does not matter who computes it or when.
    """
    try:
        with threadpool_limits(1):
            return _record(point, None, flat(averaged(point)))
    except Exception as error:  # a point that fails is a result, and the others go on
        return failed(point, error)


def failed(point: Point, error: Exception) -> Record:
    """The record of a point that has no report."""
    return _record(point, {"kind": type(error).__name__, "message": str(error)}, None)


def died(point: Point, times: int) -> Record:
    """The record of a point whose worker died each time: the next start tries it again."""
    return _record(point, {"kind": DIED, "message": f"the process that computed it died {times} "
                           "times (killed, or out of memory); the same command tries it again"},
                   None)


def _record(point: Point, error: dict[str, str] | None, report: dict[str, Any] | None) -> Record:
    return {"point": point.number, "settings": spelled(point.settings), "error": error,
            "report": report}


def averaged(point: Point) -> dict[str, Any]:
    """The report of a point, over its seeds where it has several (they train together)."""
    experiments = _seeded(resolve(point.document), point)
    in_all = point.experiments * rows_of(experiments[0])  # of the sweep, as far as a point knows
    if point.seeds == 1:
        return report(run(experiments[0], in_all=in_all))
    found: dict[int, dict[str, Any]] = {}
    for place, outcome in run_many(experiments, in_all):
        if not isinstance(outcome, Trace):
            raise outcome
        found[place] = report(outcome)
    seeds = [each.training.seed for each in experiments]
    return merge([found[place] for place in range(point.seeds)], seeds)


def _seeded(first: Experiment, point: Point) -> Sequence[Experiment]:
    """One experiment per seed, counted from the point's training.seed."""
    return [first, *(first.changed({"training.seed": first.training.seed + more})
                     for more in range(1, point.seeds))]


def flat(values: dict[str, Any], above: str = "") -> dict[str, Any]:
    """A nested table as one, by dotted name; lists stay lists."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found |= flat(value, f"{above}{name}.")
        else:
            found[above + name] = value
    return found


def spelled(value: Any) -> Any:
    """A setting as JSON has it: a number that is not finite by its name."""
    if isinstance(value, dict):
        return {key: spelled(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [spelled(inner) for inner in value]
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value


def end_with(parent: int) -> None:
    """Start a thread that ends this process once `parent`, the process that started it, is gone.

    A killed one cannot say so.
    """
    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_AFTER_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
