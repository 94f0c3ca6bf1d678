"""What an order is made of: streams of instructions, tables of where each is, and messages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sim.arrays import NARROW, Ints
from sim.op import Op, among
from sim.order.columns import Instructions
from sim.order.copies import Copies
from sim.order.instruction import Instruction
from sim.order.shape import PipelineShape

Edges = tuple[Ints, Ints]  # row `edges[0][e]` ends before row `edges[1][e]` starts
NO_EDGES: Edges = (np.zeros(0, np.int64), np.zeros(0, np.int64))
NO_PAIRS: Ints = np.zeros((0, 2, 3), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Streams:
    """A stream of instructions per device, kept as columns; they need not be complete or right.

    `rows` holds the streams one after another (device 0 first); device `d` owns the rows
    `offsets[d] … offsets[d+1] - 1`, so a row number is a position in a stream too.  `device` is
    that of each row, shape (rows,).
    """

    shape: PipelineShape
    rows: Instructions
    offsets: tuple[int, ...]
    device: Ints

    def __len__(self) -> int:
        return self.rows.size

    @property
    def devices(self) -> int:
        """How many devices there are, each with a stream of its own."""
        return len(self.offsets) - 1

    @property
    def worker(self) -> Ints:
        """Worker of each row, from 0, shape (rows,)."""
        return self.device // self.shape.worker_devices

    @property
    def minibatch(self) -> Ints:
        """Mini-batch of each row, from 1, shape (rows,)."""
        return self.rows.index // self.shape.microbatches + 1

    def instruction(self, row: int) -> Instruction:
        """The instruction in a row."""
        op, stage, index, count = (int(column[row]) for column in self.rows)
        return Instruction(stage, Op(op), index, count)

    def stream(self, device: int) -> Iterator[Instruction]:
        """The instructions of one device in order."""
        return map(self.instruction, range(self.offsets[device], self.offsets[device + 1]))

    def step(self, row: int) -> tuple[int, int]:
        """Device of a row, and its position in the stream, from 0."""
        device = int(self.device[row])
        return device, row - self.offsets[device]

    def micro_rows(self, *ops: Op) -> tuple[Ints, Ints]:
        """Rows of these operations, one for each micro-batch they cover, and those micro-batches.

        Both have shape (micro-batches covered,).
        """
        rows = np.flatnonzero(among(self.rows.op, ops))
        index, count = self.rows.index[rows], self.rows.count[rows]
        if not (count > 1).any():
            return rows, index
        first = np.repeat(np.cumsum(count) - count, count)
        return np.repeat(rows, count), np.repeat(index, count) + np.arange(count.sum()) - first


def device_of_rows(offsets: tuple[int, ...]) -> Ints:
    """Device of each row, shape (rows,); device `d` owns `offsets[d] … offsets[d+1] - 1`."""
    return np.repeat(np.arange(len(offsets) - 1, dtype=NARROW), np.diff(offsets))


@dataclass(frozen=True, eq=False)
class RowTables:
    """Where in complete streams each instruction is.

    `tables` are rows by stage and micro-batch of each operation there is, shape (operations,
    stages, micro-batches), −1 where there is none, and `number[op]` the number of an operation's
    table (−1: there is no such operation).  `widest` is the most micro-batches that one instruction
    covers, `home` the device of each stage, shape (workers, stages), −1 where it has several.  An
    update stands at the micro-batches of its mini-batch that its own copy of the stage did.
    """

    tables: Ints
    number: tuple[int, ...]
    widest: int
    home: Ints

    @property
    def several(self) -> bool:
        """Whether some stage has several homes in a worker."""
        return bool((self.home < 0).any())

    @property
    def present(self) -> frozenset[Op]:
        """Operations that any instruction has."""
        return frozenset(op for op in Op if self.number[op] >= 0)

    @property
    def lowered(self) -> bool:
        """Whether messages are instructions of their own."""
        return any(number >= 0 for number in self.number[Op.U + 1:])

    def row_of(self, *ops: Op) -> Ints:
        """Row of these operations by (stage, micro-batch), read-only; −1 where there is none.

        Where several rows do the same, one of them.
        """
        found: list[Ints] = [self.tables[self.number[op]] for op in ops if self.number[op] >= 0]
        if len(found) == 1:
            return found[0]
        table: Ints = (np.maximum.reduce(found) if found
                       else np.full(self.tables.shape[1:], -1, dtype=NARROW))
        table.flags.writeable = False
        return table


@dataclass(frozen=True)
class Messages:
    """Messages between devices, each from one row to one row.

    By row, shape (rows,): `target` is the row of another device that waits for what this one sends,
    `link` the place among `links` of the link it goes by (−1: it sends nothing).  `links`, shape
    (links,), are numbered from·devices + to, ascending.
    """

    target: Ints
    link: Ints
    links: Ints

    def sources(self) -> Ints:
        """The row whose message each row waits for, shape (rows,); −1 for none.

        Made anew every time.
        """
        source = np.full(len(self.target), -1, dtype=NARROW)
        senders = np.flatnonzero(self.link >= 0)
        source[self.target[senders]] = senders
        return source


@dataclass(frozen=True, eq=False)
class CompleteStreams(Streams):
    """Streams in which every stage does all it has to, with the tables that prove it.

    `sync` are edges by which workers wait for each other, two arrays of shape (edges,): see
    `sim.workers`.  `pairs` are instructions issued as one, (pairs, 2, 3): see
    `sim.order.together`.
    """

    tables: RowTables
    messages: Messages
    sync: Edges = NO_EDGES
    pairs: Ints = field(default_factory=lambda: NO_PAIRS)

    @property
    def home(self) -> Ints:
        """Device of each stage, shape (workers, stages); −1 where it has several."""
        return self.tables.home

    @property
    def several(self) -> bool:
        """Whether some stage has several homes in a worker, with a copy on each."""
        return self.tables.several

    @cached_property
    def copies(self) -> Copies:
        """The copies of all stages, of all workers, and which does each micro-batch."""
        if self.several or self.shape.workers > 1:
            return Copies.at(self.device[self.row_of(Op.F)], self.devices)
        return Copies.one_each(self.home[0], self.shape.total)

    @property
    def copy_of_rows(self) -> Ints:
        """The copy that each row is an instruction of, shape (rows,)."""
        copies, stage = self.copies, self.rows.stage.astype(np.int64)
        key = copies.stage.astype(np.int64) * self.devices + copies.device
        return np.searchsorted(key, stage * self.devices + self.device)

    @property
    def wide(self) -> bool:
        """Whether an instruction covers several micro-batches."""
        return self.tables.widest > 1

    @property
    def present(self) -> frozenset[Op]:
        """Operations the program has."""
        return self.tables.present

    @property
    def lowered(self) -> bool:
        """Whether messages are instructions of their own."""
        return self.tables.lowered

    def row_of(self, *ops: Op) -> Ints:
        """Row that does one of these operations, by (stage, micro-batch); −1: none.

        `RowTables.row_of` says more.
        """
        return self.tables.row_of(*ops)

    def does(self, op: Op) -> NDArray[np.bool_]:
        """Whether each stage has an instruction of this operation, shape (stages,)."""
        if op in (Op.F, Op.U) or not {Op.B, Op.I} <= self.present:  # all that are there, or none
            return np.full(self.shape.stages, op in self.present)
        found: NDArray[np.bool_] = np.any(self.row_of(op) >= 0, axis=1)
        return found

    @property
    def sends(self) -> NDArray[np.bool_]:
        """Whether each row sends a message to another device, shape (rows,)."""
        return self.messages.link >= 0

    @property
    def arrives_from(self) -> Ints:
        """The row of another device whose message each row waits for, shape (rows,); −1: none."""
        return self.messages.sources()
