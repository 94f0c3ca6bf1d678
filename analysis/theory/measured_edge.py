"""The stability edge as the simulator shows it: growth fitted per curvature, no theory used.

A round-robin pipeline trains the quadratic with many curvatures at once; the stage S−1−D meets
delay D.  A coarse run over a geometric grid brackets where growth passes 1, a fine run inside the
bracket says where.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from analysis.theory.growth import first_crossing, fitted_growth, interpolated
from analysis.theory.recurrence import DelayedTraining
from sim.arrays import Floats
from sim.experiment.configuration import resolve
from sim.experiment.run import run

COARSE, FINE = 64, 13  # curvatures per delay in each run
LONGEST = 10_000  # updates


class Place(NamedTuple):
    """The stage of a round-robin pipeline on which a gradient is so late, and its mitigation."""

    stages: int
    stage: int
    mitigation: tuple[tuple[str, Any], ...]


def measure(trainings: Sequence[DelayedTraining]) -> list[float | None]:
    """Edges ηλ of trainings that differ in delay and horizon alone; None where no pipeline has one.

    Those that one pipeline holds are measured in the same two runs.
    """
    deepest = max(training.delay for training in trainings)
    places = [place(training, deepest) for training in trainings]
    edges: dict[DelayedTraining, float | None] = dict.fromkeys(trainings)
    for stages, mitigation in dict.fromkeys((p.stages, p.mitigation) for p in places if p):
        inside = {training: p.stage for training, p in zip(trainings, places, strict=True)
                  if p is not None and (p.stages, p.mitigation) == (stages, mitigation)}
        edges |= _edges(inside, stages, dict(mitigation))
    return [edges[training] for training in trainings]


def place(training: DelayedTraining, deepest: int) -> Place | None:
    """Where delay D and horizon s occur, in a pipeline of at least `deepest` + 1 stages.

    A longer horizon than the delay is SpecTrain's time-unit one: s = D + ⌊k/2⌋ on stage k; a
    shorter one no schedule gives (None).
    """
    table: dict[str, Any] = {"name": training.mitigation}
    if training.mitigation == "vertical-sync":  # S−1 late on every stage
        return Place(training.delay + 1, 0, tuple(table.items()))
    if training.mitigation == "i-timeprest":
        table["decay"] = training.decay
    stages = deepest + 1
    if training.form.predicts:
        beyond = training.horizon - training.delay
        if beyond < 0 or beyond % 1:
            return None
        table["horizon"] = "time-unit" if beyond else "update"
        stages = training.delay + 1 + 2 * int(beyond) if beyond else stages
    return Place(stages, stages - 1 - training.delay, tuple(table.items()))


def _edges(stage_of: dict[DelayedTraining, int], stages: int, mitigation: dict[str, Any]
           ) -> dict[DelayedTraining, float | None]:
    """Bracket on one grid shared by all, then each training's own fine grid, all in one run."""
    at = coarse_grid(list(stage_of))
    rates = _growth(stage_of, stages, mitigation, at)
    brackets = {training: first_crossing(at, rates[training]) for training in stage_of}
    found = {training: pair for training, pair in brackets.items() if pair is not None}
    if not found:
        return dict.fromkeys(stage_of)
    fine = {training: np.geomspace(*pair, FINE) for training, pair in found.items()}
    rates = _growth(stage_of, stages, mitigation, np.concatenate(list(fine.values())))
    edges: dict[DelayedTraining, float | None] = dict.fromkeys(stage_of)
    for number, (training, mine) in enumerate(fine.items()):
        edges[training] = interpolated(mine, rates[training][number * FINE : (number + 1) * FINE])
    return edges


def coarse_grid(trainings: Sequence[DelayedTraining]) -> Floats:
    """A geometric grid of ηλ, (rates,), that holds every edge of these trainings.

    From far below the edge of the latest to above plain momentum's 2·(1+γ)/β.
    """
    first = trainings[0]
    latest = max(training.delay + 2 * training.horizon for training in trainings)
    low = 0.25 * (1 - first.momentum) / (1 + latest)
    return np.geomspace(low, 4 * (1 + first.momentum), COARSE) / first.gradient_share


def _growth(stage_of: dict[DelayedTraining, int], stages: int, mitigation: dict[str, Any],
            at: Floats) -> dict[DelayedTraining, Floats]:
    """Fitted growth by training and curvature of one run."""
    training = next(iter(stage_of))
    updates = min(800 + 40 * stages + round(40 / (1 - training.momentum)), LONGEST)
    weights = {stage: np.empty((updates, len(at))) for stage in stage_of.values()}

    def watch(stage: int, version: int, new: Any) -> None:
        if stage in weights:
            weights[stage][version - 1] = new

    run(resolve({
        "pipeline": {"stages": stages, "minibatches": updates, "mitigation": mitigation,
                     "backward": training.form.backward},
        "training": {"task": "quadratic", "learning_rate": 1.0, "momentum": training.momentum,
                     "convention": training.convention, "curvatures": at.tolist(),
                     "distances": False}}), watch=watch)
    return {each: fitted_growth(weights[stage]) for each, stage in stage_of.items()}
