"""Tables of values kept by what an instruction is, from which each row of a program finds its own.

So a row's jitter belongs to the instruction, and stays with it under another order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sim.arrays import Floats, Ints
from sim.kernels.pairs import NUMPY, Kernels
from sim.kernels.seconds import SECONDS_OF_ROWS, place_of_each_row
from sim.op import Op
from sim.order.program import Program
from sim.order.shape import PipelineShape

COMPUTE = (Op.F, Op.B, Op.I, Op.W, Op.U)


@dataclass(frozen=True)
class Places:
    """Where in a table of values each instruction finds its own.

    Its place is `first[op, stage] + step[op, stage] · (its first micro-batch)`, with `first` and
    `step` of shape (operations, stages); `size` is how many places there are.
    """

    first: Ints
    step: Ints
    size: int

    @classmethod
    def of_kinds(cls, shape: PipelineShape) -> Places:
        """Places by operation and stage, the same one for all micro-batches."""
        size = len(Op) * shape.stages
        first = np.arange(size, dtype=np.int64).reshape(len(Op), shape.stages)
        return cls(first, np.zeros_like(first), size)

    @classmethod
    def of_instructions(cls, shape: PipelineShape, ops: Sequence[Op]) -> Places:
        """Places by operation, stage and micro-batch for `ops`; all other operations share the
        last."""
        block = shape.stages * shape.total
        first = np.full((len(Op), shape.stages), len(ops) * block, dtype=np.int64)
        step = np.zeros_like(first)
        for number, op in enumerate(ops):
            first[op] = number * block + np.arange(shape.stages) * shape.total
            step[op] = 1
        return cls(first, step, len(ops) * block + 1)

    def of_rows(self, program: Program) -> Ints:
        """Place of each row of a program, shape (rows,)."""
        op, stage, index, _ = program.rows
        return place_of_each_row(op, stage, index, self.first, self.step, self.size)

    def by_row(self, program: Program, values: Floats, kernels: Kernels = NUMPY) -> Floats:
        """The value of each row, shape (rows,), from `values` by place, shape (size,)."""
        op, stage, index, _ = program.rows
        column: Floats = kernels.of(SECONDS_OF_ROWS)(op, stage, index, self.first, self.step,
                                                     values)
        return column
