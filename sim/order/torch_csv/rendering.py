"""A program as PyTorch's pipelining CSV: one step of the optimizer that its runtime can execute.

`_PipelineScheduleRuntime._load_csv` reads it, in either of its two forms.  `compute_only` has
the passes alone, and PyTorch adds the rest; `compute_comms` has messages too, and
`REDUCE_GRAD` where a stage's gradient is complete (there PyTorch scales and reduces it).

Source: torch 2.13, `torch/distributed/pipelining/schedules.py` (`_dump_csv`, `_add_send_recv`).
"""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sim.errors import InvalidProgramError
from sim.op import Op
from sim.order.columns import Instructions
from sim.order.completeness.marked_table import marked_table
from sim.order.instruction import Instruction
from sim.order.program import Program
from sim.order.torch_csv.messages import Cell, cells, with_messages
from sim.order.torch_csv.reading import without_messages


def render(program: Program, *, messages: bool = False) -> str:
    """CSV text, a row per rank, as PyTorch writes it; with `messages` its `compute_comms` form.

    Raises InvalidProgramError where PyTorch has no such step.
    """
    step = one_step(without_messages(program))
    streams = with_messages(step) if messages else [
        [cell for cell in cells(step, device) if cell[0].op is not Op.U]
        for device in range(step.devices)]
    text = io.StringIO()
    csv.writer(text).writerows(map(action, stream) for stream in streams)
    return text.getvalue()


def action(cell: Cell) -> str:
    """A cell of PyTorch's CSV: an instruction or a pair as PyTorch's `_Action` is written."""
    if len(cell) == 2:
        return f"({';'.join(map(_action, cell))})OVERLAP_F_B"
    return _action(cell[0])


def _action(instruction: Instruction) -> str:
    if instruction.op is Op.U:
        return f"{instruction.stage}REDUCE_GRAD"
    return f"{instruction.stage}{instruction.op.name}{instruction.index}"


def one_step(program: Program) -> Program:
    """The one mini-batch that a synchronous program repeats.

    Raises InvalidProgramError for a program that never flushes or changes its order, for a
    backward of several micro-batches, and for a stage of several homes.
    """
    shape, rows = program.shape, program.rows
    _refuse(program, (rows.op != Op.U) & (rows.count > 1),
            "PyTorch has no backward of several micro-batches")
    home = np.full(shape.stages, -1)
    home[rows.stage[::-1]] = program.device[::-1]
    _refuse(program, program.device != home[rows.stage], "in PyTorch a stage lives on one rank")
    inside = np.concatenate(([False], np.diff(program.device) == 0))
    earlier = np.concatenate(([0], np.diff(program.minibatch))) < 0
    _refuse(program, inside & earlier, "PyTorch's schedules flush after every mini-batch; here a "
            "later one is under way (a synchronous schedule, or minibatches = 1, can be written)")
    first = program.minibatch == 1
    ends = np.concatenate(([0], np.cumsum(first)))[list(program.offsets)]
    pairs = program.pairs[program.pairs[..., 2].max(axis=1, initial=0) < shape.size_of(0)]
    step = Program.of(replace(shape, minibatches=1, microbatches=shape.size_of(0),
                              last_microbatches=None),
                      Instructions(*(column[first] for column in rows)), tuple(ends.tolist()),
                      pairs=pairs)
    _refuse_changing(program, step)
    return step


def _refuse(program: Program, bad: NDArray[np.bool_], rule: str) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        raise InvalidProgramError(f"{rule}: {program.instruction(row)}",
                                  marked_table(program, dict([program.step(row)])))


def _refuse_changing(program: Program, step: Program) -> None:
    """Every mini-batch runs in the order of the first, with the same pairs, and is as large."""
    if program.shape.size_of(program.shape.minibatches - 1) != program.shape.size_of(0):
        raise InvalidProgramError("PyTorch's file holds one mini-batch; here the last is smaller")
    shift = (program.minibatch - 1) * program.shape.microbatches
    op, stage, index, count = program.rows
    times = program.shape.minibatches
    wanted = [np.concatenate([np.tile(column[a:b], times) for a, b in pairwise(step.offsets)])
              for column in step.rows]
    found = (op, stage, index - shift, count)
    differs = np.any([a != b for a, b in zip(found, wanted, strict=True)], axis=0)
    _refuse(program, differs, "PyTorch's file holds one mini-batch; here one runs in another "
            "order than the first")
    if len(program.pairs) != len(step.pairs) * times:
        raise InvalidProgramError("PyTorch's file holds one mini-batch; here one has other pairs "
                                  "than the first")
