"""Instructions by the thousand: columns of them instead of objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sim.arrays import Ints, is_narrow, narrowed


@dataclass(frozen=True, slots=True, eq=False)
class Instructions:
    """Instructions as columns instead of objects: integer arrays of shape (rows,).

    They are iterated in the order of the fields; `sim.order.instruction.Instruction` says what
    each field means.
    """

    op: Ints
    stage: Ints
    index: Ints
    count: Ints

    def __iter__(self) -> Iterator[Ints]:
        return iter((self.op, self.stage, self.index, self.count))

    @property
    def size(self) -> int:
        """How many instructions there are."""
        return len(self.op)

    def write(self, out: Ints) -> None:
        """Copy the columns into those of `out`, shape (4, size)."""
        for place, column in zip(out, self, strict=True):
            place[:] = column

    @property
    def narrow(self) -> bool:
        """Whether all columns are ones for compiled code, see `sim.arrays.is_narrow`."""
        return all(map(is_narrow, self))

    def narrowed(self) -> Instructions:
        """The instructions with every column narrow: themselves where that is so already."""
        return self if self.narrow else Instructions(*map(narrowed, self))
