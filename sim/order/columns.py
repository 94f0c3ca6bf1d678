"""Instructions by the thousand: columns of them instead of objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sim.arrays import NARROW, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Instructions:
    """Columns of instructions: four integer arrays of one length, iterated in this order."""

    op: Ints
    stage: Ints
    index: Ints
    count: Ints

    def __iter__(self) -> Iterator[Ints]:
        return iter((self.op, self.stage, self.index, self.count))

    @property
    def size(self) -> int:
        return len(self.op)

    def write(self, out: Ints) -> None:
        """Fill the columns `out`, shape (4, size)."""
        for place, column in zip(out, self, strict=True):
            place[:] = column

    @property
    def narrow(self) -> bool:
        """Whether columns are as compiled code takes them; any other would be compiled for anew."""
        return all(column.dtype == NARROW and column.flags.c_contiguous and column.flags.writeable
                   for column in self)
