"""Up to which ηλ training through an order of uneven staleness stays stable, stage by stage."""

from __future__ import annotations

from typing import Any

import numpy as np

from figures.pictures.dynamic.cases import MINIBATCHES, STAGES, table
from figures.pictures.dynamic.written import ordered
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.rows import Rows

LEAST, MOST, STEPS = 0.03, 60.0, 512  # the curvatures tried, at a learning rate of 1: 1.5 % apart
MOMENTUM = 0.9


def curvatures() -> list[float]:
    """The curvatures λ that are tried side by side, ascending."""
    found: list[float] = np.geomspace(LEAST, MOST, STEPS).tolist()
    return found


def edges_of(order: str, draw: int, mitigation: str) -> Rows:
    """The largest stable ηλ of every stage of an order, a row each.

    Every stage has a block of a quadratic of its own, so it meets its own delays alone.  Stable is
    what ends nearer to the minimum than it began, at this λ and all smaller ones that are tried; a
    run is finite, so growth that takes longer than the run is not seen.
    """
    last: dict[int, Any] = {}

    def watch(stage: int, version: int, weights: Any) -> None:
        last[stage] = weights

    tried = curvatures()
    run(resolve({
        "pipeline": {"stages": STAGES, "minibatches": MINIBATCHES, "schedule": "file",
                     "mitigation": mitigation},
        "training": {"task": "quadratic", "curvatures": tried, "learning_rate": 1.0,
                     "momentum": MOMENTUM, "distances": False}}),
        ordered(table(order, draw)), watch=watch)
    rows = []
    for stage in range(STAGES):
        unstable = np.flatnonzero(~(np.abs(last[stage]) < 1))  # weights begin at 1; NaN is none
        first = int(unstable[0]) if len(unstable) else STEPS
        rows.append({"stage": stage, "edge": tried[first - 1] if first else None})
    return rows
