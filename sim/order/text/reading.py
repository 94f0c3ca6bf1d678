"""A program's text read, whatever form it is in: its shape, its streams, and what was taken.

The forms are those of `sim.order.text.dialects`; how cells are separated is `sim.order.text.cells`.
"""

from __future__ import annotations

from dataclasses import dataclass

from sim.errors import InvalidProgramError
from sim.order.shape import PipelineShape
from sim.order.text.cells import Sheet, cut
from sim.order.text.dialects import OURS, Cell, dialect_of, refuse_shifted_forwards
from sim.order.text.shapes import shape_of_cells, shape_of_header
from sim.order.text.tokens import tokens


@dataclass(frozen=True)
class Reading:
    """What a program's text holds: its shape and the stream of each device.

    `form` is what it is written in, and `notes` what was taken in another way than it stands.
    """

    shape: PipelineShape
    streams: list[list[Cell]]
    form: str
    notes: tuple[str, ...]


def read(text: str, shape: PipelineShape | None = None) -> Reading:
    """What a program's text holds; a `shape` that is given stands in for the text's own.

    Raises InvalidProgramError naming line and cell of what is no program.
    """
    sheet = cut(text)
    rows = [[tokens(cell, line.number) for cell in line.cells] for line in sheet.lines]
    if not any(rows):
        raise InvalidProgramError("a program has at least one instruction; this text has none")
    for line, row in zip(sheet.lines, rows, strict=True):
        if not any(each.kind[0] in "FBIW" for cell in row for each in cell):
            raise InvalidProgramError(f"line {line.number}: this rank has no forward or backward")
    dialect = dialect_of(rows, sheet.header is not None)
    if shape is None:
        shape = (shape_of_cells(rows, dialect) if sheet.header is None
                 else shape_of_header(*sheet.header, len(rows)))
        if shape.minibatches == 1:
            refuse_shifted_forwards(rows)
    streams = [list(dialect.cells(row, shape.microbatches)) for row in rows]
    return Reading(shape, streams, dialect.name, (*sheet.passed_over, *dialect.notes))


def is_program(text: str) -> bool:
    """Whether a text is meant as a program: every cell of it is an instruction."""
    sheet = cut(text)
    return any(line.cells for line in sheet.lines) and _sound(sheet)


def is_foreign(text: str) -> bool:
    """Whether a text is a program in another form than ours."""
    sheet = cut(text)
    if sheet.header is not None or not any(line.cells for line in sheet.lines) \
            or not _sound(sheet):
        return False
    rows = [[tokens(cell, line.number) for cell in line.cells] for line in sheet.lines]
    try:
        return dialect_of(rows, header=False).name != OURS
    except InvalidProgramError:
        return True


def _sound(sheet: Sheet) -> bool:
    """Whether every cell is an instruction."""
    try:
        for line in sheet.lines:
            for cell in line.cells:
                tokens(cell, line.number)
    except InvalidProgramError:
        return False
    return True
