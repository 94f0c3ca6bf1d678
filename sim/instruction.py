"""What one device does in one step: operations, instructions, and columns of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

NARROW = np.int32  # of columns: what they hold are counts of one program's rows at most
Ints = NDArray[np.signedinteger[Any]]


class Op(IntEnum):
    """Forward, backward, its input and weight halves, update, and the four message ends."""

    F = 0
    B = 1
    I = 2  # noqa: E741 - the field's own name for the input half of a backward
    W = 3
    U = 4
    SEND_F = 5
    RECV_F = 6
    SEND_B = 7
    RECV_B = 8


# at most nine digits: any more is a slip that would only fill the memory
_TEXT = re.compile(
    r"([0-9]{1,9})(SEND_F|RECV_F|SEND_B|RECV_B|F|B|I|W|U)([0-9]{1,9})(?:-([0-9]{1,9}))?")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One operation of one stage on the micro-batches `index … index + count - 1`.

    Micro-batches are numbered from 0 over the whole run, so mini-batch `i` (from 1) of `n`
    micro-batches covers `(i-1)*n … i*n-1`.  The text form is `2F0` (stage 2, forward, micro-batch
    0), or `2B0-3` where one instruction covers several; `parse` is its exact inverse.
    """

    stage: int
    op: Op
    index: int
    count: int = 1

    def __post_init__(self) -> None:
        if self.stage < 0 or self.index < 0 or self.count < 1:
            raise ValueError(f"stage and index start at 0 and count at 1, got {self!r}")

    def __str__(self) -> str:
        last = f"-{self.index + self.count - 1}" if self.count > 1 else ""
        return f"{self.stage}{self.op.name}{self.index}{last}"

    @classmethod
    def parse(cls, text: str) -> Instruction:
        """Read the text form.  Raises ValueError naming the text and an example."""
        found = _TEXT.fullmatch(text.strip())
        if not found:
            raise ValueError(f"{text!r} is not an instruction; write e.g. 2F0, 0B4-7 or 1SEND_F3")
        stage, op, first, last = found.groups()
        count = int(last) - int(first) + 1 if last is not None else 1
        if last is not None and count < 2:
            raise ValueError(f"{text!r}: a range runs upwards, e.g. 0B4-7")
        return cls(int(stage), Op[op], int(first), count)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
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


def among(op: Ints, ops: Iterable[Op]) -> NDArray[np.bool_]:
    """Which of a column of operations are one of `ops`."""
    found = np.zeros(len(op), dtype=bool)
    for each in ops:
        found |= op == each
    return found
