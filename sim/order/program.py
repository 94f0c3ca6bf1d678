"""The program: which instruction each device executes after which, without any times."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sim.arrays import Ints
from sim.kernels.pairs import NUMPY, Kernels
from sim.order.authoring import Part, pairs_in, parts_of
from sim.order.check import check_order
from sim.order.columns import Instructions
from sim.order.completeness.passes import complete_tables
from sim.order.instruction import Instruction
from sim.order.making.messages import lowered, messages_of
from sim.order.making.updates import with_updates
from sim.order.needs import dependencies
from sim.order.shape import PipelineShape
from sim.order.streams import (
    NO_PAIRS,
    CompleteStreams,
    Edges,
    Messages,
    RowTables,
    Streams,
    device_of_rows,
)
from sim.order.text.reading import read
from sim.order.text.rendering import render
from sim.order.together import check_pairs, rows_of_pairs

__all__ = ["Generate", "Messages", "Program", "RowTables"]  # the middle two: of its constructor

Generate = Callable[[int, PipelineShape], Iterable[Instruction | Part]]


@dataclass(frozen=True, eq=False, repr=False)
class Program(CompleteStreams):
    """Which instruction each device executes after which: a complete order, without any times.

    A stream of instructions per device, kept as columns (see `Streams`), with the tables and
    messages that were found once when it was made.  Its makers (`of`, `build`, `from_streams`,
    `parse`) check that every stage does every micro-batch once, and raise InvalidProgramError;
    `validate` also proves that the order can be executed.  `kernels` of the makers says how large
    programs are gone through, see `sim.kernels.pairs`; it changes nothing of what they give.
    """

    @classmethod
    def of(cls, shape: PipelineShape, rows: Instructions, offsets: tuple[int, ...],
           kernels: Kernels = NUMPY, pairs: Ints = NO_PAIRS) -> Program:
        """The program of columns that hold the devices' streams one after another.

        Device `d` owns the rows `offsets[d] … offsets[d+1] - 1`; `pairs`, (pairs, 2, 3), are issued
        as one.  Raises InvalidProgramError with the first offending cell marked.
        """
        streams = Streams(shape, rows, offsets, device_of_rows(offsets))
        tables = complete_tables(streams, kernels)
        pairs = check_pairs(streams, tables, pairs)
        return cls(shape, rows.narrowed(), offsets, streams.device, tables,
                   messages_of(streams, tables, kernels), pairs=pairs)

    @classmethod
    def from_streams(cls, shape: PipelineShape, streams: Sequence[Iterable[Instruction | Part]],
                     kernels: Kernels = NUMPY) -> Program:
        """The program of one stream of instructions, single ones or parts, per device.

        Where a stage's stream has no update, one is put right after the last backward of every
        mini-batch: that is when a stage's gradient is complete.
        """
        authored = [parts_of(stream) for stream in streams]
        pairs = pairs_in(part for stream in authored for part in stream)
        return cls.of(shape, *with_updates(shape, authored, kernels), kernels, pairs)

    @classmethod
    def build(cls, generate: Generate, shape: PipelineShape, kernels: Kernels = NUMPY) -> Program:
        """The program that a schedule's generator makes for every device of a shape."""
        return cls.from_streams(shape, [generate(d, shape) for d in range(shape.devices)], kernels)

    @classmethod
    def parse(cls, text: str, shape: PipelineShape | None = None) -> Program:
        """The program that a text means, in any form of `sim.order.text`; the inverse of `str`.

        A `shape` that is given stands in for the text's own.
        """
        found = read(text, shape)
        return cls.from_streams(found.shape, found.streams)

    def __str__(self) -> str:
        return render(self)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name}={value}" for name, value in self.shape.as_dict().items())
        return f"Program({sizes}: {len(self)} instructions on {self.devices} devices)"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Program)
            and (self.shape, self.offsets) == (other.shape, other.offsets)
            and all(np.array_equal(a, b) for a, b in zip(
                (*self.rows, *self.sync, self.pairs), (*other.rows, *other.sync, other.pairs),
                strict=True))
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def dependencies(self) -> Edges:
        """What has to have ended before what, as two arrays of shape (edges,).

        Row `before[e]` ends before row `after[e]` starts.  Made anew every time.
        """
        return dependencies(self)

    def validate(self) -> Program:
        """The program itself, once it is proved that its order can be executed.

        Raises InvalidProgramError with the cells marked that wait for ever.
        """
        check_order(self)
        return self

    def synchronised(self, before: Ints, after: Ints) -> Program:
        """A copy of the program in which workers wait for each other.

        Row `before[e]` of one worker ends, and what workers exchange is there, before row
        `after[e]` of another starts; both arrays have shape (edges,).
        """
        return replace(self, sync=(before, after))

    def reordered(self, order: Ints, kernels: Kernels = NUMPY) -> Program:
        """A program of these instructions with each device's in another order.

        `order` lists rows, shape (rows,).  Raises ValueError for workers that wait for each other,
        and InvalidProgramError where a device would do another's instructions.
        """
        if len(self.sync[0]):
            raise ValueError("the order of workers that wait for each other is fixed")
        rows = Instructions(*(column[order] for column in self.rows))
        return Program.of(self.shape, rows, self.offsets, kernels, self.pairs)

    def lower(self, kernels: Kernels = NUMPY) -> Program:
        """A program that also has SEND and RECV instructions where data crosses devices.

        Raises ValueError for workers, or copies of a stage, that wait for each other: their
        exchange is no message of the pipeline.
        """
        if self.lowered:
            return self
        if len(self.sync[0]):
            raise ValueError("programs in which nobody waits for another's gradients are lowered")
        pairs = rows_of_pairs(self.tables, self.pairs)
        return Program.of(self.shape, *lowered(self, self.messages, pairs), kernels, self.pairs)
