"""Orders in three forms: streams of passes as people read them, columns of codes, programs.

A stream says of which stage and kind each pass of a device is, and not of which micro-batch: those
are all alike, so that they may as well go through every stage one after another.  For if a stage
does some later one first, both can change names from there on, and nothing else changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from analysis.ordering.climbing.tables import EMPTY, KINDS
from analysis.ordering.problem import OrderProblem
from sim.arrays import Ints
from sim.op import Op, among
from sim.order.instruction import Instruction
from sim.order.program import Program

Pass = tuple[Op, int]  # which half or whole, of which stage
Streams = Sequence[Sequence[Pass]]  # by device, in its order


def streams_of(program: Program) -> list[list[Pass]]:
    """The streams of a program's passes, by device; its updates and messages are left out.

    Raises ValueError for a pass that covers several micro-batches.
    """
    if (program.rows.count[among(program.rows.op, KINDS)] > 1).any():
        raise ValueError("each pass is of one micro-batch, and some of this program are of several")
    return [[(each.op, each.stage) for each in program.stream(device) if each.op in KINDS]
            for device in range(program.devices)]


def codes_of(streams: Streams) -> Ints:
    """The column of codes of streams, (rows,); beside each whole backward is an empty place."""
    return np.array([code for stream in streams for each in stream for code in _codes(each)],
                    dtype=np.int64)


def _codes(each: Pass) -> list[int]:
    op, stage = each
    code = 4 * stage + KINDS.index(op)
    return [code, EMPTY] if op is Op.B else [code]


def streams_in(codes: Iterable[int], problem: OrderProblem) -> list[list[Pass]]:
    """The streams of a problem's devices in a column of codes, (rows,)."""
    found: list[list[Pass]] = [[] for _ in range(problem.devices)]
    for code in codes:
        if code != EMPTY:
            stage, kind = divmod(int(code), len(KINDS))
            found[int(problem.device[stage])].append((KINDS[kind], stage))
    return found


def halved(streams: Streams) -> list[list[Pass]]:
    """Streams in which every whole backward is two halves, one right after the other."""
    return [[half for op, stage in stream
             for half in (((Op.I, stage), (Op.W, stage)) if op is Op.B else ((op, stage),))]
            for stream in streams]


def program_of(problem: OrderProblem, streams: Streams) -> Program:
    """One mini-batch in the order of streams, micro-batches one after another on every stage, the
    updates of a device's stages after all of its passes."""
    return Program.from_streams(problem.experiment.shape, [
        [*_numbered(stream), *_updates(problem, device)] for device, stream in enumerate(streams)])


def _numbered(stream: Sequence[Pass]) -> Iterator[Instruction]:
    done: Counter[tuple[str, int]] = Counter()
    split: dict[tuple[int, int], int] = {}  # which micro-batch a stage's n-th input half is of
    for op, stage in stream:
        what = ("backward" if op in (Op.I, Op.B) else op.name, stage)
        micro = done[what]
        done[what] += 1
        if op is Op.I:
            split[stage, done["I", stage]] = micro
            done["I", stage] += 1
        yield Instruction(stage, op, split.pop((stage, micro)) if op is Op.W else micro)


def _updates(problem: OrderProblem, device: int) -> Iterator[Instruction]:
    for stage in problem.stages_on(device):
        yield Instruction(stage, Op.U, 0, problem.microbatches)
