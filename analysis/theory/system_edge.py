"""The largest stable learning rate of a whole system, measured on the quadratic.

Every stage learns a block of the quadratic with many curvatures at once, through the system's own
order, versions and exchange; the edge is the smallest over the stages.  Source: REFERENCE
section 6 for the method, `analysis.theory.measured_edge` for single delays.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.theory.growth import first_crossing, fitted_growth, interpolated
from sim.arrays import Floats
from sim.experiment.compared.entrant import Entrant
from sim.experiment.configuration import resolve
from sim.experiment.options import Experiment
from sim.experiment.run import run

COARSE, FINE, REFINED = 48, 9, 2  # curvatures of the first run, of those that refine, how many


def stable_rate(system: Entrant, experiment: Experiment) -> float | None:
    """Largest stable ηλ (learning rate times curvature); None where the grid does not bracket it.

    Raises ConfigurationError where the system refuses the experiment.
    """
    updates = 400 + round(40 / (1 - experiment.training.momentum))
    document, at = _probe(system, experiment, updates), _grid(experiment)
    rates = _growth(document, at, updates)
    for _ in range(REFINED):
        pair = first_crossing(at, rates)
        if pair is None:
            return None
        at = np.geomspace(*pair, FINE)
        rates = _growth(document, at, updates)
    return interpolated(at, rates)


def _grid(experiment: Experiment) -> Floats:
    """Geometric, from far below the edge of the deepest delay to above plain momentum's."""
    training, latest = experiment.training, 3 * experiment.pipeline.stages
    share = 1 - training.momentum if training.convention == "ema" else 1.0
    low = 0.25 * (1 - training.momentum) / (1 + latest)
    return np.geomspace(low, 16 * (1 + training.momentum), COARSE) / share


def _probe(system: Entrant, experiment: Experiment, updates: int) -> dict[str, Any]:
    """The system's document with so many updates of the quadratic on every worker."""
    probe = system.document(experiment)
    workers = probe.get("workers", {}).get("count", 1)
    probe["pipeline"]["minibatches"] = updates * workers
    probe["training"] |= {"task": "quadratic", "learning_rate": 1.0, "distances": False,
                          "evaluate_every": 0, "rate_schedule": {}}
    return probe


def _growth(document: dict[str, Any], at: Floats, updates: int) -> Floats:
    """The largest fitted growth of any stage, by curvature."""
    probe = document | {"training": document["training"] | {"curvatures": at.tolist()}}
    weights: dict[int, Any] = {}

    def watch(stage: int, version: int, new: Any) -> None:
        weights.setdefault(stage, np.empty((updates, len(at))))[version - 1] = new

    run(resolve(probe), watch=watch)
    rates: Floats = np.max([fitted_growth(each) for each in weights.values()], axis=0)
    return rates
