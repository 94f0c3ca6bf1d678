"""What an advisor looks at where layers are to be cut: ways to lay them out, and orders on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.advice.planned.arrangement import Arrangement
from analysis.advice.planned.cuts import Cutting
from analysis.advice.planned.layers import Layers
from analysis.advice.question import Question
from sim.experiment.values.tensor import MOST_WAYS
from sim.schedules import SCHEDULES, Schedule

MOST_MICROBATCHES = 128  # that are looked at where none are asked for
EVERY = 8  # up to so many devices of a pipeline, every number of them is looked at
UNLIKE = 16  # up to so many devices, stages with unlike numbers of replicas are looked at
CHUNKS = (2, 4)  # stages on a device, of orders that have several
ALONE = "1f1b"  # the order of a pipeline of one device, where all orders are one
PIECES = "splits"  # what an order takes whose micro-batches are pieces of sequences
TURNS = "replicas"  # and one whose stages have replicas that take mini-batches in turn


def powers(most: int) -> list[int]:
    """The powers of two from 1 to `most`."""
    return [2**power for power in range(most.bit_length()) if 2**power <= most]


def microbatches_of(question: Question, layers: Layers) -> list[int]:
    """The micro-batches of a mini-batch to consider, of all workers together under batch sizes.

    [choice] Powers of two up to twice the devices, at least to 8 and at most to 128, where nothing
    is asked.
    """
    if question.batch_sizes and layers.size is not None:
        return sorted({size // layers.size for size in question.batch_sizes})
    return sorted(set(question.microbatches)) or powers(
        min(MOST_MICROBATCHES, max(8, 2 * question.devices)))


def depths(devices: int, layers: int) -> list[int]:
    """How many of the devices a pipeline of so many layers may have.

    [choice] Up to 8 any number, beyond that powers of two and what divides the devices.
    """
    return [depth for depth in range(1, min(devices, layers) + 1)
            if depth <= EVERY or devices % depth == 0 or depth in powers(devices)]


def ways_of(question: Question) -> list[int]:
    """The tensor ways to consider: those asked for, else powers of two, up to the devices."""
    most = min(MOST_WAYS, question.devices)
    return [ways for ways in sorted(set(question.ways)) or powers(most)
            if ways <= question.devices]


def arrangements(question: Question, layers: Layers) -> Iterator[Arrangement]:
    """Every way to lay the layers out that is looked at."""
    for ways in ways_of(question):
        devices = question.devices // ways
        split = layers.split(layers.alone, ways)
        cutting = Cutting(split, question.memory_limit_bytes, question.state_copies,
                          question.backwards)
        known = cutting.straight(CHUNKS[-1] * devices, devices,
                                 microbatches_of(question, layers)[-1])
        for depth in depths(devices, len(layers.alone)):
            for chunks in (1, *CHUNKS) if depth > 1 else (1,):
                for number, counts in enumerate(known.get(depth * chunks, ())):
                    stages = layers.split(counts, ways)
                    table = layers.tensor(counts, ways) if ways > 1 else None
                    for workers in _workers(devices // depth):
                        yield Arrangement(counts, stages, chunks, workers, None, ways, number,
                                          table)
        for number, plan in enumerate(cutting.replicated(devices) if devices <= UNLIKE else ()):
            counts = tuple(plan.counts)
            yield Arrangement(counts, layers.split(counts, ways), 1, 1,
                              tuple(stage.replicas for stage in plan.stages), ways, number,
                              layers.tensor(counts, ways) if ways > 1 else None)


def _workers(most: int) -> Sequence[int]:
    """How many pipelines there may be: powers of two, and as many as there is room for."""
    return sorted({*powers(most), most})


def schedules_on(arrangement: Arrangement, question: Question) -> list[Schedule]:
    """The schedules asked for that an arrangement may have, each order once."""
    asked = [each for each in SCHEDULES if each.name in (question.schedules or [each.name])]
    if arrangement.depth == 1:
        return [each for each in asked if each.name == ALONE] or asked[:1]
    if arrangement.replicas is not None:
        return [each for each in asked if TURNS in each.takes]
    cut_finer = arrangement.chunks > 1
    return [each for each in asked if each.chunks == cut_finer and PIECES not in each.takes
            and (cut_finer or each.like is None) and (each.homes == 1 or arrangement.workers == 1)]
