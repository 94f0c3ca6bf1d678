"""Where instructions lie when kept by what they are rather than by when they run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.instruction import Ints, Op
from sim.passes import compiled
from sim.passes.seconds import gathered, places, scattered
from sim.program import Program

Floats = NDArray[np.float64]
COMPUTE = (Op.F, Op.B, Op.I, Op.W, Op.U)


@dataclass(frozen=True)
class Places:
    """A place for every (operation, stage, first micro-batch), one block per operation.

    `row` is the place of each row of the program; what has no block shares the place after all.
    """

    row: Ints
    blocks: list[slice]
    compiled: bool = False

    @classmethod
    def of(cls, program: Program, ops: Ints) -> Places:
        """Places for `ops` alone (any number of times each); all other rows share the last."""
        op, stage, index, _ = program.rows
        size = program.shape.stages * program.shape.total
        present = [each for each in COMPUTE if each in ops]
        first = np.full(len(Op), len(present) * size, dtype=np.int32)
        first[present] = np.arange(len(present)) * size
        after, total = len(present) * size, program.shape.total
        row = (compiled(places)(op, stage, index, first, total, after) if program.compiled
               else np.minimum(first[op] + stage * total + index, after))
        blocks = [slice(k * size, (k + 1) * size) for k in range(len(present))]
        return cls(row, blocks, program.compiled)

    @property
    def size(self) -> int:
        return (self.blocks[-1].stop if self.blocks else 0) + 1

    def by_place(self, rows: Floats) -> Floats:
        """Values by row, put at their places; 0 where no row is."""
        if self.compiled:
            found: Floats = compiled(scattered)(rows, self.row, self.size)
            return found
        values = np.zeros(self.size)
        values[self.row] = rows
        return values

    def of_rows(self, values: Floats) -> Floats:
        """Values by place, for every row."""
        found: Floats = (compiled(gathered)(values, self.row) if self.compiled
                         else values[self.row])
        return found
