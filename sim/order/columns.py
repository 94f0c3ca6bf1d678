"""Instructions by the thousand: columns of them instead of objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sim.arrays import Ints, is_narrow, narrowed


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
        """Whether all columns are as compiled code takes them, see `sim.arrays.is_narrow`."""
        return all(map(is_narrow, self))

    def narrowed(self) -> Instructions:
        """Themselves where they are narrow, else the same with every column narrow."""
        return self if self.narrow else Instructions(*map(narrowed, self))
