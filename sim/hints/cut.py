"""Hints on orders that give nothing: nothing cut finer, a round not full, no message hidden."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sim.experiment.options import Experiment
from sim.hints.trial import bubble
from sim.schedules import SCHEDULES

FINER = {"splits": "splits=2", "replicas": "replicas"}  # what cuts finer, and how it is set
IN_ROUNDS = ("hanayo", "chimera")  # orders of rounds of as many micro-batches as devices


def uncut(experiment: Experiment, report: Mapping[str, Any]) -> Iterator[str]:
    """A schedule for something cut finer, of which nothing is cut finer."""
    pipeline = experiment.pipeline
    if pipeline.schedule not in SCHEDULES.names():
        return
    schedule = SCHEDULES[pipeline.schedule]
    ways = ["chunks=2"] * schedule.chunks + [FINER[each] for each in schedule.takes
                                             if each in FINER]
    cut = max(pipeline.chunks, pipeline.splits or 1, *(pipeline.replicas or ())) > 1
    if schedule.like is not None and ways and not cut:
        yield (f"pipeline.schedule = {schedule.name}: with one stage a device and nothing cut "
               f"finer it is {schedule.like}; --set {ways[0]} cuts finer")


def unfilled_round(experiment: Experiment, report: Mapping[str, Any]) -> Iterator[str]:
    """A last round of fewer micro-batches than devices, where a full one has a smaller bubble."""
    pipeline, devices = experiment.pipeline, experiment.shape.worker_devices
    n, size = pipeline.microbatches, experiment.training.batch_size
    if pipeline.schedule not in IN_ROUNDS or n % devices == 0 or n < devices:
        return
    full = [m for m in range(devices, n + devices + 1, devices) if size % m == 0]
    here, better = bubble(experiment), bubble(experiment, microbatches=full[-1]) if full else None
    if here is not None and better is not None and better < here:
        yield (f"pipeline.microbatches = {n}: {pipeline.schedule} goes in rounds of the {devices} "
               f"devices' number, and the last one's bubble is that of a full one; --set "
               f"microbatches={full[-1]} makes {100 * here:.0f} % about {100 * better:.0f} %")


def needless_warm_up(experiment: Experiment, report: Mapping[str, Any]) -> Iterator[str]:
    """Forwards that are done early to hide messages where plain 1F1B waits for none longer."""
    pipeline = experiment.pipeline
    if pipeline.schedule != "eager-1f1b" or pipeline.warmup is not None:
        return
    here, plain = bubble(experiment), bubble(experiment, schedule="1f1b")
    if here is not None and plain is not None and plain <= here:
        yield ("pipeline.schedule = eager-1f1b: it keeps more activations to hide the time of "
               "messages, and these take none that 1f1b waits for; --set schedule=1f1b is as fast")
