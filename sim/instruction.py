"""What one device does in one step: operations, instructions, and columns of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
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


def block(op: Op, stage: int, micro_batches: Iterable[int], count: int = 1) -> Block:
    """The same operation on each of `micro_batches` in turn."""
    if isinstance(micro_batches, range):
        index = np.arange(micro_batches.start, micro_batches.stop, micro_batches.step, dtype=NARROW)
    else:
        index = np.fromiter(micro_batches, NARROW)
    size = len(index)
    return Block(_constant(op, size), _constant(stage, size), index, _constant(count, size))


def _constant(value: int, size: int) -> Ints:
    """A read-only column that says the same in every row, and takes the room of one."""
    return np.ndarray((size,), NARROW, _bytes(value), strides=(0,))


@cache
def _bytes(value: int) -> bytes:
    return NARROW(value).tobytes()


def forwards(stage: int, micro_batches: Iterable[int]) -> Block:
    """Forwards of `micro_batches`, in that order."""
    return block(Op.F, stage, micro_batches)


def backwards(stage: int, micro_batches: Iterable[int], count: int = 1) -> Block:
    """Backwards of `micro_batches`; with `count`, each covers that many from its index on."""
    return block(Op.B, stage, micro_batches, count)


def join(blocks: Sequence[Block]) -> Block:
    """One block after another."""
    if not blocks:
        return block(Op.F, 0, range(0))
    return Block(*(np.concatenate(column, dtype=NARROW) for column in zip(*blocks, strict=True)))


def alternate(*blocks: Block) -> Block:
    """Blocks of one length dealt like cards: first of each, second of each, …"""
    if len({each.size for each in blocks}) != 1:
        raise ValueError(f"blocks of one length alternate, got {[each.size for each in blocks]}")
    return Block(*(_dealt(column) for column in zip(*blocks, strict=True)))


def _dealt(columns: Sequence[Ints]) -> Ints:
    size, first = len(columns[0]), columns[0]
    if size and all(c.strides == (0,) and c[0] == first[0] for c in columns):
        return _constant(int(first[0]), size * len(columns))
    dealt = np.empty((size, len(columns)), NARROW)
    for place, column in enumerate(columns):
        dealt[:, place] = column
    return dealt.ravel()


def among(op: Ints, ops: Iterable[Op]) -> NDArray[np.bool_]:
    """Which of a column of operations are one of `ops`."""
    found = np.zeros(len(op), dtype=bool)
    for each in ops:
        found |= op == each
    return found


def repeat(pattern: Block, times: int, step: int) -> Block:
    """`pattern` `times` over, each time `step` micro-batches further on."""
    shift = np.repeat(np.arange(times, dtype=NARROW) * step, pattern.size)
    op, stage, index, count = (np.tile(column, times) for column in pattern)
    return Block(op, stage, index + shift, count)


def columns(instructions: Iterable[Instruction | Block]) -> Block:
    """What a schedule yields, single instructions and blocks mixed, as one block."""
    return join(blocks(instructions))


def blocks(instructions: Iterable[Instruction | Block]) -> list[Block]:
    """The same as blocks one after another."""
    gathered: list[Block] = []
    loose: list[tuple[int, int, int, int]] = []

    def settle() -> None:
        if loose:
            gathered.append(Block(*np.array(loose, dtype=NARROW).T))
            loose.clear()

    for each in instructions:
        if isinstance(each, Instruction):
            loose.append((each.op, each.stage, each.index, each.count))
        else:
            settle()
            gathered.append(each)
    settle()
    return gathered
