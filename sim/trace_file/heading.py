"""What has to be true of a trace's header beside the types of its values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from sim.errors import TraceError
from sim.header import Table, TraceHeader

WORDS = ("schedule", "dispatch", "backward")  # of the pipeline's table, that reports tell


def check_header(header: TraceHeader) -> None:
    """Make sure that the values of a header fit each other.  Raises TraceError with the first
    that does not."""
    for problem in _problems(header):
        raise TraceError(f"the header's {problem}")


def _problems(header: TraceHeader) -> Iterator[str]:
    shape, sizes = header.shape, header.sizes
    whole = {name: getattr(shape, name) for name in ("stages", "minibatches", "microbatches",
                                                      "chunks", "workers")}
    yield from (f"shape.{name}: a whole number, got {value!r}" for name, value in whole.items()
                if type(value) is not int)
    yield from _pipeline(header.pipeline)
    yield from _entries("versions_held", header.versions_held, shape.stages, 1)
    yield from _entries("sizes.weight_bytes", sizes.weight_bytes, shape.stages)
    yield from _entries("sizes.activation_bytes", sizes.activation_bytes, shape.stages)
    yield from _entries("sizes.boundary_bytes", sizes.boundary_bytes, shape.stages - 1)
    if sizes.recomputed_bytes:  # of runs whose backward does not, none
        yield from _entries("sizes.recomputed_bytes", sizes.recomputed_bytes, shape.stages)
    if (header.workers is not None) != (shape.workers > 1):
        yield f"workers: there where there are several, and the shape has {shape.workers}"
    if header.workers is not None:
        yield from _entries("workers.bytes_per_minibatch", [header.workers.bytes_per_minibatch], 1)
    if header.training is not None:
        yield from _training(header)
    if header.gpu is not None and len(header.gpu.devices) != shape.devices:
        yield f"gpu.devices: one name for each of {shape.devices} devices"


def _pipeline(table: Table) -> Iterator[str]:
    """What is told of the pipeline: words, and a mitigation by name or as a table with one."""
    for name in WORDS:
        if not isinstance(table.get(name), str):
            yield f"experiment.pipeline.{name}: text, got {table.get(name)!r}"[:160]
    mitigation = table["mitigation"]
    named = mitigation.get("name") if isinstance(mitigation, dict) else mitigation
    if not isinstance(named, str):
        yield f"experiment.pipeline.mitigation: a name, got {mitigation!r}"[:160]


def _training(header: TraceHeader) -> Iterator[str]:
    learnt, shape = header.training, header.shape
    assert learnt is not None
    if len(learnt.mean_update_rmse) != shape.stages:  # of a diverged run they are not finite
        yield (f"training.mean_update_rmse: {shape.stages} entries, got "
               f"{len(learnt.mean_update_rmse)}")
    if learnt.accuracy is not None and not (0 <= learnt.accuracy <= 1
                                            or math.isnan(learnt.accuracy)):
        yield f"training.accuracy: a share from 0 to 1, got {learnt.accuracy!r}"
    if learnt.diverged_at is not None and not 1 <= learnt.diverged_at <= shape.minibatches:
        yield f"training.diverged_at: a mini-batch from 1 to {shape.minibatches}"
    if learnt.examples is not None and learnt.examples < 1:
        yield f"training.examples: at least 1, got {learnt.examples}"
    settings = header.experiment.get("training")
    batch = settings.get("batch_size") if isinstance(settings, dict) else None
    if type(batch) is not int or batch < 1:
        yield f"experiment.training.batch_size: a whole number from 1, got {batch!r}"[:160]


def _entries(name: str, values: Sequence[Any], many: int, least: float = 0) -> Iterator[str]:
    """A list with so many entries, finite numbers that are not below the `least`."""
    if len(values) != many:
        yield f"{name}: {many} entries, got {len(values)}"
    try:
        odd = [each for each in values if not (math.isfinite(each) and each >= least)]
    except OverflowError:  # a whole number beyond any float
        odd = ["a number beyond any"]
    if odd:
        yield f"{name}: numbers from {least:g}, got {odd[0]!r}"[:160]
