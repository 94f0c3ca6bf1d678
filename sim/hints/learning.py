"""Hints on how a run learns: a rate that diverges or never moves, evaluations that never come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sim.experiment.options import Experiment
from sim.experiment.tables import Training

USUAL = Training().learning_rate


def diverging(experiment: Experiment, report: Mapping[str, Any]) -> Iterator[str]:
    """A run whose losses stop being finite."""
    training = experiment.training
    if report.get("diverged"):
        yield (f"training.learning_rate = {training.learning_rate:g}: the loss is no longer finite "
               f"from mini-batch {report['diverged_at']} on; try --set "
               f"learning_rate={min(training.learning_rate / 10, USUAL):.3g} (python -m analysis "
               "stability gives the largest stable one)")


def late_evaluation(experiment: Experiment, report: Mapping[str, Any]) -> Iterator[str]:
    """Evaluations further apart than the run is long."""
    every, minibatches = experiment.training.evaluate_every, experiment.pipeline.minibatches
    if experiment.training.task != "none" and every > minibatches:
        yield (f"training.evaluate_every = {every}: the run ends after {minibatches} mini-batches, "
               "so it is evaluated at the end alone")


def resting_rate(experiment: Experiment, report: Mapping[str, Any]) -> Iterator[str]:
    """A schedule of learning rates whose first step or full rate comes after the end."""
    schedule = experiment.training.rate_schedule
    updates = experiment.shape.of_worker.minibatches  # of a stage
    if experiment.training.task == "none":
        return
    if schedule.name == "step" and schedule.every >= updates:
        yield (f"training.rate_schedule.every = {schedule.every}: a stage makes {updates} updates, "
               "so the rate never steps")
    if schedule.warmup > updates:
        yield (f"training.rate_schedule.warmup = {schedule.warmup}: a stage makes {updates} "
               "updates, so the rate never reaches training.learning_rate")
