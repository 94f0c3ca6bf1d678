"""The largest stable learning rate of a whole system, measured on the quadratic.

Every stage learns a part of the quadratic with many curvatures at once, through the system's own
order, versions and exchange; the edge is the smallest over the stages.  Source: REFERENCE
section 6 for the method, `analysis.theory.measured_edge` for single delays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from analysis.theory.growth import first_crossing, fitted_growth, interpolated
from sim.arrays import Floats
from sim.experiment.options import Experiment
from sim.experiment.run import run

COARSE, FINE, REFINED = 48, 9, 2  # curvatures of the first run, of those that refine, how many


def stable_rate(experiment: Experiment, system: Mapping[str, Any], *, recompute: bool = False
                ) -> float | None:
    """Largest stable ηλ (learning rate times curvature); None where the grid does not bracket it.

    `system` is what to change of the experiment to run it as the system.  With `recompute` its
    forwards run again under the backward's weights: on the quadratic only then do those bear on a
    gradient, so that interpolation and a fresh backward show (REFERENCE section 3).  Raises
    ConfigurationError.
    """
    updates = 400 + round(40 / (1 - experiment.training.momentum))
    probe, at = _probe(experiment, system, updates), _grid(experiment)
    if recompute:
        probe = probe.changed({"pipeline.backward": "recompute"})
    rates = _growth(probe, at, updates)
    for _ in range(REFINED):
        pair = first_crossing(at, rates)
        if pair is None:
            return None
        at = np.geomspace(*pair, FINE)
        rates = _growth(probe, at, updates)
    return interpolated(at, rates)


def _grid(experiment: Experiment) -> Floats:
    """Geometric, from far below the edge of the deepest delay to above plain momentum's."""
    training, latest = experiment.training, 3 * experiment.pipeline.stages
    share = 1 - training.momentum if training.convention == "ema" else 1.0
    low = 0.25 * (1 - training.momentum) / (1 + latest)
    return np.geomspace(low, 16 * (1 + training.momentum), COARSE) / share


def _probe(experiment: Experiment, system: Mapping[str, Any], updates: int) -> Experiment:
    """The experiment as the system, with so many updates of the quadratic on every worker, and on
    the stage with most replicas, which does a mini-batch of each for an update."""
    workers = system.get("workers", {}).get("count", 1)
    replicas = max(system.get("pipeline", {}).get("replicas") or [1])
    return experiment.changed(system, {
        "pipeline": {"minibatches": updates * workers * replicas},
        "training": {"task": "quadratic", "learning_rate": 1.0, "distances": False,
                     "evaluate_every": 0, "rate_schedule": {}}})


def _growth(probe: Experiment, at: Floats, updates: int) -> Floats:
    """The largest fitted growth of any stage, by curvature."""
    weights: dict[int, Any] = {}

    def watch(stage: int, version: int, new: Any) -> None:
        if version <= updates:
            weights.setdefault(stage, np.empty((updates, len(at))))[version - 1] = new

    run(probe.changed({"training.curvatures": at.tolist()}), watch=watch)
    rates: Floats = np.max([fitted_growth(each) for each in weights.values()], axis=0)
    return rates
