"""nF1B: forwards by micro-batch, one backward per mini-batch, backward first, no flush."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from sim.arrays import NARROW
from sim.op import Op
from sim.order.columns import Instructions
from sim.order.shape import PipelineShape
from sim.schedules import schedule


@schedule("nf1b", rule="n forwards, one backward of the whole mini-batch; backward first, no flush",
          source="TiMePReSt (nF1B); the order is that of the unit-slot model whatever the costs")
def nf1b(device: int, shape: PipelineShape) -> Iterator[Instructions]:
    """What a device does under nF1B; with three stages and two micro-batches A and B in each
    mini-batch (a bare number is a backward):

        stage 0: 1A 1B 2A 2B 3A 3B 1  4A 4B 2  5A 5B 3
        stage 1: .  1A 1B 2A 2B 1  3A 3B 2  4A 4B 3
        stage 2: .  .  1A 1B 1  2A 2B 2  3A 3B 3
    """
    backward = np.frombuffer(_slot_model(shape)[device], np.uint8) == Op.B
    done = np.cumsum(backward, dtype=NARROW)
    index = np.where(backward, (done - 1) * shape.microbatches, np.arange(len(done)) - done)
    count = np.where(backward, np.minimum(shape.microbatches, shape.total - index), 1)
    yield Instructions(backward * Op.B.value, np.full_like(done, device), index, count)


@lru_cache(maxsize=4)
def _slot_model(shape: PipelineShape) -> list[bytes]:
    """What each stage does in turn (F or B): every instruction takes one slot, and each stage
    takes a ready backward, else a forward.

    What is ready is counted, not looked up: a twin of the readiness rule (`sim.order.needs`), held
    against it by `tests/sim/test_needs.py`.

    What a slot does depends on how far each stage is behind the first, until no forward is left to
    enter; where that comes again (looked at between mini-batches), everything between repeats.
    """
    stages, n = shape.stages, shape.microbatches
    streams = [bytearray() for _ in range(stages)]
    forward, backward = [0] * stages, [0] * stages  # how many each stage has finished
    seen: dict[tuple[int, ...], tuple[int, list[int]]] = {}
    while min(backward) < shape.minibatches:
        if forward[0] % n == 0:
            lag = (*(f - forward[0] for f in forward), *(n * b - forward[0] for b in backward))
            entered, lengths = seen.get(lag, (forward[0], []))
            gain = forward[0] - entered
            times = max(0, (shape.total - forward[0]) // gain - 1) if gain else 0
            for k, length in enumerate(lengths):
                streams[k] += streams[k][length:] * times
                forward[k] += times * gain
                backward[k] += times * gain // n
            seen[lag] = forward[0], [len(stream) for stream in streams]
        for k, op in enumerate([_choice(k, forward, backward, shape) for k in range(stages)]):
            if op is not None:
                streams[k].append(op)
                (backward if op is Op.B else forward)[k] += 1
    return [bytes(stream) for stream in streams]


def _choice(k: int, forward: list[int], backward: list[int], shape: PipelineShape) -> Op | None:
    done = backward[k]
    last = k == shape.stages - 1
    wanted = min((done + 1) * shape.microbatches, shape.total)
    if done < shape.minibatches and forward[k] >= wanted and (last or backward[k + 1] > done):
        return Op.B
    if forward[k] < (shape.total if k == 0 else forward[k - 1]):
        return Op.F
    return None
