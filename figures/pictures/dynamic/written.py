"""Orders written from how late updates are to be: even twins of an order, and drained ones.

An order of one home a stage and one mini-batch an update is told by a table: how many forwards a
stage has done before each of its backwards.  A mini-batch is then late by what was updated between
its forward and its own update.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from sim.arrays import Floats, Ints
from sim.op import Op
from sim.order.instruction import Instruction
from sim.order.program import Program
from sim.order.shape import PipelineShape


def forwards_before(program: Program) -> Ints:
    """How many forwards each stage of a program has done before each of its backwards.

    Shape (stages, mini-batches), of a program with one micro-batch an update and one home a stage.
    """
    forward, backward = program.row_of(Op.F), program.row_of(Op.B)
    return np.array([np.searchsorted(one, other) for one, other in
                     zip(forward, backward, strict=True)])


def ordered(before: Ints) -> Program:
    """The program whose stages do `before` forwards, (stages, mini-batches), before each backward.

    An update follows each backward.  Raises InvalidProgramError where that is no order.
    """
    stages, minibatches = before.shape
    shape = PipelineShape(stages, minibatches)
    return Program.from_streams(shape, [_stream(k, row) for k, row in
                                        enumerate(before.tolist())]).validate()


def _stream(stage: int, before: Sequence[int]) -> Iterator[Instruction]:
    done = 0
    for index, enough in enumerate(before):
        for each in range(done, enough):
            yield Instruction(stage, Op.F, each)
        done = max(done, enough)
        yield Instruction(stage, Op.B, index)
        yield Instruction(stage, Op.U, index)


def total_delay(before: Ints) -> Ints:
    """The delays of a stage's updates, all added up, shape (stages,).

    A forward that is done before one backward more is late by one update more, so the sum is that
    of what is in flight at each backward, less the mini-batch itself.
    """
    total: Ints = (before - np.arange(1, before.shape[1] + 1)).sum(axis=1)
    return total


def even(totals: Sequence[float], minibatches: int) -> Ints:
    """The table of the order whose delays are spread least, where each stage's add up to `totals`.

    A stage is late by its mean all the while: by one of the two whole numbers beside it, in turn.
    Shape (stages, mini-batches).  A stage never has done more than the one before it, for which
    that one gives way; so the sums are met to within one update for each stage and run.
    """
    table: list[Ints] = []
    for total in reversed(totals):
        least = table[-1] if table else np.zeros(minibatches, dtype=np.int64)
        low, high = 0.0, float(minibatches)
        for _ in range(60):
            middle = (low + high) / 2
            if (np.maximum(_paced(middle, minibatches), least)
                    - np.arange(1, minibatches + 1)).sum() < total:
                low = middle
            else:
                high = middle
        table.append(np.maximum(_paced(high, minibatches), least))
    return np.array(table[::-1])


def _paced(mean: float, minibatches: int) -> Ints:
    """Forwards done before each backward where `mean` others are in flight on average.

    Shape (mini-batches,).
    """
    number = np.arange(minibatches)
    share = mean % 1
    more = np.floor((number + 1) * share) - np.floor(number * share)
    found: Ints = np.minimum(number + 1 + int(mean) + more.astype(np.int64), minibatches)
    return found


def drained(stages: int, minibatches: int, every: int) -> Ints:
    """The table of 1F1B that is drained after every so many mini-batches, and fills up again.

    Shape (stages, mini-batches).
    """
    number = np.arange(minibatches)
    ends = np.minimum((number // every + 1) * every, minibatches)
    found: Ints = np.minimum(number + np.arange(stages, 0, -1)[:, None], ends)
    return found


def delays(before: Ints) -> Floats:
    """By how many updates each mini-batch's is late, shape (stages, mini-batches)."""
    number = np.arange(before.shape[1])
    return np.array([number - np.searchsorted(row, number, side="right") for row in before],
                    dtype=np.float64)
