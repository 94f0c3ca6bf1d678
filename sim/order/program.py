"""The program: which instruction each device executes after which, without any times."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.arrays import NARROW, Ints
from sim.kernels import compiled, narrow, worth
from sim.kernels.survey import bounded, homes, surveyed
from sim.op import Op, among
from sim.order.authoring import Part, join, parts_of
from sim.order.columns import Instructions
from sim.order.instruction import Instruction
from sim.order.messages import Messages
from sim.order.shape import PipelineShape
from sim.order.updates import with_all_updates, with_updates

if TYPE_CHECKING:
    from sim.trace import Trace

__all__ = ["NO_EDGES", "Generate", "PipelineShape", "Program"]

NO_EDGES: tuple[Ints, Ints] = (np.zeros(0, np.int64), np.zeros(0, np.int64))


Generate = Callable[[int, PipelineShape], Iterable[Instruction | Part]]


@dataclass(frozen=True, eq=False)
class Program:
    """A stream of instructions per device, kept as columns.

    `rows` holds the streams one after another (device 0 first); device `d` owns the rows
    `offsets[d] … offsets[d+1] - 1`, so a row number is a position in a stream too.  Construction
    checks completeness (every stage does every micro-batch once); `validate` also proves that the
    order can be executed.  `sync` are the edges (row before, row after) by which workers wait for
    each other, see `sim.workers`.  Raises InvalidProgramError.
    """

    shape: PipelineShape
    rows: Instructions
    offsets: tuple[int, ...]
    sync: tuple[Ints, Ints] = NO_EDGES

    def __post_init__(self) -> None:
        from sim.order.check import check_complete

        check_complete(self)

    @classmethod
    def from_streams(
        cls, shape: PipelineShape, streams: Sequence[Iterable[Instruction | Part]]
    ) -> Program:
        """One stream per device.

        Where a stage's stream has no update, one is put right after the last backward of every
        mini-batch: that is when a stage's gradient is complete.
        """
        authored = [parts_of(stream) for stream in streams]
        at_once = with_all_updates(shape, authored)
        if at_once is not None:
            return cls(shape, *at_once)
        parts = [with_updates(shape, join(stream)) for stream in authored]
        ends = np.cumsum([0, *(part.size for part in parts)])
        return cls(shape, join(parts), tuple(int(end) for end in ends))

    @classmethod
    def build(cls, generate: Generate, shape: PipelineShape) -> Program:
        """What a schedule makes of a shape."""
        return cls.from_streams(shape, [generate(d, shape) for d in range(shape.devices)])

    @classmethod
    def from_trace(cls, trace: Trace) -> Program:
        """The order a trace recorded, to be replayed under other times or on another backend."""
        order = np.lexsort((np.arange(len(trace)), trace.device))
        counts = np.bincount(trace.device, minlength=trace.shape.devices)
        named = (trace.op, trace.stage, trace.index, trace.count)
        rows = Instructions(*(column[order].astype(NARROW) for column in named))
        return cls(trace.shape, rows, tuple(int(end) for end in np.cumsum([0, *counts])))

    @classmethod
    def parse(cls, text: str, shape: PipelineShape | None = None) -> Program:
        """The inverse of `str`: see `sim.order.text`."""
        from sim.order.text import parse

        return parse(text, shape)

    def __repr__(self) -> str:
        shape = self.shape
        return (f"<Program: {len(self)} instructions of {shape.stages} stages on {shape.devices} "
                f"devices, {shape.minibatches} mini-batches of {shape.microbatches} "
                "micro-batches>")

    def __str__(self) -> str:
        from sim.order.text import render

        return render(self)

    def __len__(self) -> int:
        return self.rows.size

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Program)
            and (self.shape, self.offsets) == (other.shape, other.offsets)
            and all(np.array_equal(a, b) for a, b in zip(
                (*self.rows, *self.sync), (*other.rows, *other.sync), strict=True))
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def devices(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def device(self) -> Ints:
        """Device of each row."""
        return np.repeat(np.arange(self.devices, dtype=np.int32), np.diff(self.offsets))

    @cached_property
    def home(self) -> Ints:
        """Device of each stage, shape (workers, stages), of a complete program."""
        home: Ints = np.zeros((self.shape.workers, self.shape.stages), dtype=np.int64)
        home[self.worker, self.rows.stage] = self.device
        return home

    @cached_property
    def worker(self) -> Ints:
        """Worker of each row."""
        return self.device // self.shape.worker_devices

    @cached_property
    def minibatch(self) -> Ints:
        """Mini-batch of each row, from 1."""
        return self.rows.index // self.shape.microbatches + 1

    @property
    def lowered(self) -> bool:
        """Whether messages are instructions of their own."""
        return max(self.present, default=Op.F) > Op.U

    def instruction(self, row: int) -> Instruction:
        op, stage, index, count = (int(column[row]) for column in self.rows)
        return Instruction(stage, Op(op), index, count)

    def rows_at(self, rows: Ints) -> tuple[Ints, Ints, Ints]:
        """Operation, stage and count of some rows."""
        op, stage, _, count = self.rows
        return op[rows], stage[rows], count[rows]

    def stream(self, device: int) -> Iterator[Instruction]:
        """The instructions of one device in order."""
        return map(self.instruction, range(self.offsets[device], self.offsets[device + 1]))

    def micro_rows(self, *ops: Op) -> tuple[Ints, Ints]:
        """Instructions of these operations, repeated for each micro-batch they cover, and those."""
        rows = np.flatnonzero(among(self.rows.op, ops))
        index, count = self.rows.index[rows], self.rows.count[rows]
        if not (count > 1).any():
            return rows, index
        first = np.repeat(np.cumsum(count) - count, count)
        return np.repeat(rows, count), np.repeat(index, count) + np.arange(count.sum()) - first

    def row_of(self, *ops: Op) -> Ints:
        """Row of these operations by (stage, micro-batch); −1 where there is none.

        Where several rows do the same, one of them.
        """
        ops = tuple(op for op in ops if op in self.present)
        if ops not in self._tables:
            table = (np.full((self.shape.stages, self.shape.total), -1, dtype=NARROW) if not ops
                     else np.maximum.reduce([self.row_of(op) for op in ops]))
            self._tables[ops] = _settled(table)
        return self._tables[ops]

    @cached_property
    def compiled(self) -> bool:
        """Whether compiled passes shall go through this program (settled when it is built)."""
        return worth(len(self)) and narrow(self.rows)

    @cached_property
    def plainly_complete(self) -> bool:
        """Whether compiled passes could tell that every pass and update is there once.

        It leaves the tables behind.  False says nothing: `sim.order.check` judges.
        """
        shape, size = self.shape, (self.shape.stages, self.shape.total)
        room = shape.stages * shape.total <= len(self)  # else tables of that size are not made
        if not self.compiled or self.devices != shape.devices or not room:
            return False
        most = compiled(bounded)(*self.rows, *size)
        if not most:
            return False
        tables, number = compiled(surveyed)(*self.rows, *size, shape.microbatches, most)
        if not len(number):
            return False
        home = compiled(homes)(tables, np.array(self.offsets), shape.workers, shape.microbatches)
        if (home < 0).any():
            return False
        ops = [op for op in Op if number[op] >= 0]
        vars(self).update(
            home=home, wide=bool(most > 1), present=frozenset(op.value for op in ops),
            _tables={(op,): _settled(table) for op, table in zip(ops, tables, strict=True)})
        return True

    @cached_property
    def wide(self) -> bool:
        """Whether an instruction covers several micro-batches."""
        return bool((self.rows.count > 1).any())

    @cached_property
    def present(self) -> frozenset[int]:
        """Operations the program has."""
        return frozenset(op.value for op in Op if (self.rows.op == op).any())

    def does(self, op: Op) -> NDArray[np.bool_]:
        """Whether each stage of a complete program has such an instruction."""
        if op in (Op.F, Op.U) or not {Op.B, Op.I} <= self.present:  # all that are there, or none
            return np.full(self.shape.stages, op in self.present)
        found: NDArray[np.bool_] = np.any(self.row_of(op) >= 0, axis=1)
        return found

    @cached_property
    def _tables(self) -> dict[tuple[Op, ...], Ints]:
        """Tables of `row_of`, those of single operations filled together."""
        (op, stage, index, count), ops = self.rows, sorted(self.present)
        size = self.shape.stages * self.shape.total
        tables = np.full((len(ops), self.shape.stages, self.shape.total), -1, dtype=NARROW)
        number = np.int64 if tables.size > np.iinfo(NARROW).max else NARROW
        first: Ints = np.zeros(len(Op), dtype=number)
        first[ops] = np.arange(len(ops)) * size
        place = first[op] + stage * self.shape.total + index
        flat = tables.reshape(-1)
        flat[place] = np.arange(len(self), dtype=NARROW)
        wide = np.flatnonzero(count > 1)
        if len(wide):
            more = count[wide]
            within = np.arange(more.sum()) - np.repeat(np.cumsum(more) - more, more)
            flat[np.repeat(place[wide], more) + within] = np.repeat(wide, more)
        return {(Op(op),): _settled(table) for op, table in zip(ops, tables, strict=True)}

    @cached_property
    def dependencies(self) -> tuple[Ints, Ints]:
        """Readiness: row `before[e]` ends before `after[e]` starts."""
        before, after = (np.concatenate([table.ravel() for table in tables])
                         for tables in zip(*self._needs(), strict=True))
        edge = (before >= 0) & (after >= 0)
        before, after = before[edge].astype(np.int64), after[edge].astype(np.int64)
        keep = np.concatenate(([True], (np.diff(before) != 0) | (np.diff(after) != 0)))
        return (np.concatenate((before[keep[: len(before)]], self.sync[0])),
                np.concatenate((after[keep[: len(after)]], self.sync[1])))

    def _needs(self) -> list[tuple[Ints, Ints]]:
        """The only copy of the readiness rule: tables of rows, and of rows that need those.

        A forward needs the previous stage's forward; a backward needs the next stage's backward
        (its input half) and its own stage's forward; `W` needs its `I`; an update needs every
        backward of its mini-batch on its stage.  In a lowered program what crosses devices goes
        through its SEND and RECV.  How workers wait for each other is in `sync`, beside this.
        Both tables are by (stage, micro-batch); −1: none.
        """
        own = [(self.row_of(Op.F), self.row_of(Op.B, Op.I)),
               (self.row_of(Op.B, Op.W), self.row_of(Op.U))]
        if self.present & {Op.I, Op.W}:
            own.insert(1, (self.row_of(Op.I), self.row_of(Op.W)))
        if self.lowered:
            own += [(self.row_of(Op.F), self.row_of(Op.SEND_F)),
                    (self.row_of(Op.B, Op.I), self.row_of(Op.SEND_B))]
        return self.needs_elsewhere() + own

    def needs_elsewhere(self) -> list[tuple[Ints, Ints]]:
        """The part of the rule in which one stage needs another."""
        forward, gradient = self.row_of(Op.F), self.row_of(Op.B, Op.I)
        if not self.lowered:
            return [(forward[:-1], forward[1:]), (gradient[1:], gradient[:-1])]
        down, up = self.row_of(Op.RECV_F)[1:], self.row_of(Op.RECV_B)[:-1]
        return [(np.where(down >= 0, down, forward[:-1]), forward[1:]),
                (np.where(up >= 0, up, gradient[1:]), gradient[:-1]),
                (self.row_of(Op.SEND_F)[:-1], down), (self.row_of(Op.SEND_B)[1:], up)]

    @cached_property
    def messages(self) -> Messages:
        """What crosses devices, by row."""
        return Messages.of(self)

    @cached_property
    def arrives_from(self) -> Ints:
        """For each row the row of another device whose message it waits for; −1 for none."""
        return self.messages.sources()

    @cached_property
    def sends(self) -> NDArray[np.bool_]:
        """Whether each row sends a message to another device."""
        return self.messages.link >= 0

    def validate(self) -> Program:
        """Prove that the order can be executed.  Raises InvalidProgramError with the bad cell."""
        from sim.order.check import check_order

        check_order(self)
        return self

    def reordered(self, order: Ints) -> Program:
        """The same instructions, each device's in another order (`order` lists rows)."""
        if len(self.sync[0]):
            raise ValueError("the order of workers that wait for each other is fixed")
        rows = Instructions(*(column[order] for column in self.rows))
        return Program(self.shape, rows, self.offsets)

    def lower(self) -> Program:
        """The same program with SEND and RECV instructions where data crosses devices.

        Raises ValueError for workers that wait for each other: their exchange is no message of
        the pipeline.
        """
        from sim.order.lowering import lowered

        return self if self.lowered else lowered(self)


def _settled(table: Ints) -> Ints:
    table.flags.writeable = False
    return table
