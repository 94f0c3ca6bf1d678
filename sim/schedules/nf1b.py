"""nF1B: forwards by micro-batch, one backward per mini-batch, backward first, no flush."""

from collections.abc import Iterator
from functools import lru_cache

from sim.instruction import Instruction, Op
from sim.program import PipelineShape
from sim.schedules import schedule


@schedule("nf1b", rule="n forwards, one backward of the whole mini-batch; backward first, no flush",
          source="TiMePReSt (nF1B); the order is that of the unit-slot model whatever the costs")
def nf1b(device: int, shape: PipelineShape) -> Iterator[Instruction]:
    """Three stages, two micro-batches A and B (a bare number is a backward):

        stage 0: 1A 1B 2A 2B 3A 3B 1  4A 4B 2  5A 5B 3
        stage 1: .  1A 1B 2A 2B 1  3A 3B 2  4A 4B 3
        stage 2: .  .  1A 1B 1  2A 2B 2  3A 3B 3
    """
    yield from _slot_model(shape)[device]


@lru_cache(maxsize=4)
def _slot_model(shape: PipelineShape) -> list[list[Instruction]]:
    """Every instruction takes one slot; each stage takes a ready backward, else a forward."""
    stages, n = shape.stages, shape.microbatches
    streams: list[list[Instruction]] = [[] for _ in range(stages)]
    forward, backward = [0] * stages, [0] * stages  # how many each stage has finished
    while min(backward) < shape.minibatches:
        chosen = [_choice(k, forward, backward, shape) for k in range(stages)]
        for k, op in enumerate(chosen):
            if op is Op.B:
                streams[k].append(Instruction(k, op, backward[k] * n, n))
                backward[k] += 1
            elif op is Op.F:
                streams[k].append(Instruction(k, op, forward[k]))
                forward[k] += 1
    return streams


def _choice(k: int, forward: list[int], backward: list[int], shape: PipelineShape) -> Op | None:
    done = backward[k]
    last = k == shape.stages - 1
    if done < shape.minibatches and forward[k] >= (done + 1) * shape.microbatches and (
        last or backward[k + 1] > done
    ):
        return Op.B
    if forward[k] < (shape.total if k == 0 else forward[k - 1]):
        return Op.F
    return None
