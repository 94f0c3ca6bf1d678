"""A program as text: one line per device, instructions separated by commas.

The layout is that of PyTorch's pipelining schedules (a CSV row per rank), with one comment line
that holds the shape:

    # pipestale program: stages=2 minibatches=2 microbatches=1 chunks=1
    0F0,0F1,0B0,0U0,0B1,0U1
    1F0,1B0,1U0,1F1,1B1,1U1

A cell `(0F3;1B1)` is a pair, issued as one: see `sim.order.together`.  Empty cells are skipped.
Without the comment the shape is read off the instructions: one mini-batch per update range, or a
single mini-batch where nothing is updated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sim.errors import InvalidProgramError
from sim.op import Op
from sim.order.authoring import Together
from sim.order.instruction import Instruction
from sim.order.shape import PipelineShape
from sim.order.streams import CompleteStreams
from sim.order.together import rows_of_pairs

Cell = Instruction | Together
_PAIR = re.compile(r"\(([^();]*);([^();]*)\)")
_HEADER = re.compile(r"#\s*pipestale program:(.*)")


def render(program: CompleteStreams) -> str:
    """A program's text: its shape and a line per device; `read` turns it back into the streams."""
    fields = " ".join(f"{name}={value}" for name, value in program.shape.as_dict().items())
    head = f"# pipestale program: {fields}"
    lines = [",".join(_cells(program, d)) for d in range(program.devices)]
    return "\n".join([head, *lines]) + "\n"


def _cells(program: CompleteStreams, device: int) -> Iterator[str]:
    """The cells of one device: its instructions, two that are a pair in one."""
    partner = dict(zip(*(rows.tolist() for rows in rows_of_pairs(program.tables, program.pairs)),
                       strict=True))
    first, stop = program.offsets[device : device + 2]
    seconds = set(partner.values())
    for row in range(first, stop):
        if row in partner and partner[row] == row + 1:
            yield f"({program.instruction(row)};{program.instruction(partner[row])})"
        elif row not in seconds or row - 1 not in partner:
            yield str(program.instruction(row))


def read(text: str, shape: PipelineShape | None = None
         ) -> tuple[PipelineShape, list[list[Cell]]]:
    """The shape (unless given) and the stream per device that a program's text holds.

    Raises InvalidProgramError naming line and cell of what is no program.
    """
    streams: list[list[Cell]] = []
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line.strip())
        if header:
            shape = shape or _shape_of_header(header.group(1), number)
        elif line.strip() and not line.lstrip().startswith("#"):
            streams.append(_stream(line, number))
    if not any(streams):
        raise InvalidProgramError("a program has at least one instruction; this text has none")
    return shape or _shape_of_streams(streams), streams


def _stream(line: str, number: int) -> list[Cell]:
    cells = [cell.strip() for cell in line.split(",")]
    try:
        return [_cell(cell) for cell in cells if cell]
    except ValueError as error:
        raise InvalidProgramError(f"line {number}: {error}") from None


def _cell(text: str) -> Cell:
    if not text.startswith("("):
        return Instruction.parse(text)
    found = _PAIR.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is not a pair; write e.g. (0F3;1B1)")
    return Together(*map(Instruction.parse, found.groups()))


def _shape_of_header(text: str, number: int) -> PipelineShape:
    fields = dict(re.findall(r"(\w+)=(\S+)", text))
    wild = [f"{k}={v}" for k, v in fields.items() if not re.fullmatch("[0-9]{1,9}", v)]
    if wild:
        raise InvalidProgramError(f"line {number}: {wild[0][:40]} is no number of a shape")
    sizes: dict[str, Any] = {name: int(value) for name, value in fields.items()}
    try:
        return PipelineShape(**sizes)
    except (TypeError, ValueError) as error:
        raise InvalidProgramError(f"line {number}: {error}") from None


def _shape_of_streams(streams: list[list[Cell]]) -> PipelineShape:
    everything = [each for stream in streams for cell in stream
                  for each in ((cell.first, cell.second) if isinstance(cell, Together)
                               else (cell,))]
    stages = max(each.stage for each in everything) + 1
    total = max(each.index + each.count for each in everything)
    updates = {each.count for each in everything if each.op is Op.U}
    per_minibatch = updates.pop() if updates else total
    if updates or total % per_minibatch:
        raise InvalidProgramError("updates cover equal mini-batches; these differ in size")
    chunks = max(1, stages // len(streams))
    return PipelineShape(stages, total // per_minibatch, per_minibatch,
                         chunks if stages % chunks == 0 else 1)
