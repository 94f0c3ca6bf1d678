"""Shapes that schedules take, and which schedules take what."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import product

from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES


def takes(name: str, shape: PipelineShape) -> bool:
    """Whether a schedule has an order for a shape."""
    try:
        SCHEDULES[name].check(shape)
    except ValueError:
        return False
    return True


@cache
def fitted(name: str, shape: PipelineShape) -> PipelineShape:
    """The shape nearest to this one that a schedule takes: with two chunks where it has to have
    chunks, with a device or a few micro-batches more, or with one micro-batch."""
    n = shape.microbatches
    for chunks, more, microbatches in product(
            dict.fromkeys((shape.chunks, 2)), range(2), [*range(n, n + 12), 1]):
        devices = -(-shape.stages // shape.chunks) + more
        asked = replace(shape, stages=devices * chunks, chunks=chunks, microbatches=microbatches)
        if takes(name, asked):
            return asked
    raise AssertionError(f"{name} takes nothing near {shape}")


def size_keys(shape: PipelineShape) -> dict[str, int]:
    """A shape as keys of the table `pipeline`; workers are `workers.count`."""
    values = shape.as_dict()
    return {"count" if name == "workers" else name: value for name, value in values.items()}


PLAIN = tuple(name for name in SCHEDULES.names() if all(
    takes(name, PipelineShape(s, 2, n)) for s in range(1, 6) for n in range(1, 6)))
"""Schedules that take any number of stages, one a device, and of micro-batches."""

SHARING = tuple(each.name for each in SCHEDULES if each.homes > 1)
"""Schedules in which a stage has several homes."""

ONE_HOME = tuple(name for name in SCHEDULES.names() if name not in SHARING)
