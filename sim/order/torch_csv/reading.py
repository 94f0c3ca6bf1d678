"""PyTorch's pipelining schedules: the CSV that `torch.distributed.pipelining` writes and loads.

A row per rank, a cell per action: `2F0` (stage 2, forward, micro-batch 0), `B` a full backward,
`I`/`W` its input and weight halves, empty cells for steps a rank waits (dropped: waiting follows
from times here).  The file covers one step of the optimizer, so one mini-batch.  In the
`compute_comms` form `SEND_F` … `RECV_B` are instructions of their own, `REDUCE_GRAD` is where a
stage's gradient is complete and its update stands, and `(0F3;3B1)OVERLAP_F_B` is a pair.  How the
form is told from others is said in `sim.order.text.dialects`.

Source: torch 2.13, `torch/distributed/pipelining/schedules.py` (`_Action`, `_load_csv`).
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from sim.arrays import Ints
from sim.errors import InvalidProgramError
from sim.op import Op
from sim.order.authoring import columns, repeat
from sim.order.columns import Instructions
from sim.order.completeness.marked_table import marked_table
from sim.order.needs import ELSEWHERE
from sim.order.program import Program
from sim.order.text.reading import is_foreign

_THEIRS = re.compile(r"UNSHARD|RESHARD|REDUCE_GRAD|OVERLAP_F_B")


def is_torch_csv(text: str) -> bool:
    """Whether a program's text is PyTorch's: an action only PyTorch has, or nothing of ours."""
    return _THEIRS.search(text) is not None or is_foreign(text)


def parse(text: str) -> Program:
    """The program that a text in any form describes, proved to be one that can be executed.

    Raises InvalidProgramError naming line and cell of what is no instruction, or with the table
    marked.
    """
    return proved(Program.parse(text))


def proved(program: Program) -> Program:
    """The program itself, once its order of passes is proved to be one that can be executed.

    Messages stay instructions of their own.  Whether they can be exchanged is a question of how
    they are received, so the order is proved without them.  Raises InvalidProgramError with the
    table marked.
    """
    for need in ELSEWHERE if program.lowered else ():
        assert need.ends is not None
        send, receive = need.ends
        made, used = program.row_of(*need.before), program.row_of(*need.after)
        for first, then in ((made, program.row_of(send)), (program.row_of(receive), used)):
            late = (first > then) & (then >= 0)
            if late.any():
                row, waits = int(first[late].min()), int(then[late][first[late].argmin()])
                raise InvalidProgramError(
                    f"{program.instruction(waits)} waits for {program.instruction(row)}, which "
                    "its device does later", marked_table(program, dict([program.step(waits)])))
    without_messages(program).validate()
    return program


def repeated(program: Program, minibatches: int) -> Program:
    """A program of one mini-batch done `minibatches` times, each after the flush of the one
    before.

    Raises InvalidProgramError for a program of several.
    """
    shape = program.shape
    if shape.minibatches != 1:
        raise InvalidProgramError("a program of one mini-batch is repeated, got one of "
                                  f"{shape.minibatches}")
    size = shape.size_of(0)
    longer = replace(shape, minibatches=minibatches, microbatches=size, last_microbatches=None)
    parts = [repeat(columns(program.stream(d)), minibatches, size) for d in range(program.devices)]
    rows = Instructions(*(np.concatenate(each) for each in zip(
        *(columns([part]) for part in parts), strict=True)))
    ends = np.array(program.offsets) * minibatches
    return Program.of(longer, rows, tuple(ends.tolist()),
                      pairs=_repeated_pairs(program.pairs, minibatches, size))


def _repeated_pairs(pairs: Ints, times: int, step: int) -> Ints:
    found = np.tile(pairs, (times, 1, 1))
    found[..., 2] += np.repeat(np.arange(times) * step, len(pairs))[:, None]
    return found


def without_messages(program: Program) -> Program:
    """A program's passes and updates in their order, without its SEND and RECV instructions."""
    if not program.lowered:
        return program
    keep = program.rows.op <= Op.U
    ends = [0, *(int(keep[:end].sum()) for end in program.offsets[1:])]
    rows = Instructions(*(column[keep] for column in program.rows))
    return Program.of(program.shape, rows, tuple(ends), pairs=program.pairs)
