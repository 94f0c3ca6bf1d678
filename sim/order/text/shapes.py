"""The shape of a program's text: its comment's, or what its cells have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from sim.errors import InvalidProgramError, unknown
from sim.order.shape import PipelineShape
from sim.order.text.dialects import Dialect, Rows
from sim.order.text.tokens import Token

_NUMBER = re.compile("[0-9]{1,9}")
KNOWN = [field.name for field in fields(PipelineShape)]
LISTS = ("replicas",)  # what a comment has one number of per stage


def shape_of_header(number: int, text: str, devices: int) -> PipelineShape:
    """The shape that our comment in line `number` says; `ranks` is the lines' where it says none.

    Raises InvalidProgramError naming the line.
    """
    fields = dict(re.findall(r"(\w+)=(\S+)", text))
    sizes: dict[str, Any] = {}
    for name, value in fields.items():
        numbers = value.strip("[]").split(",") if name in LISTS else [value]
        if not all(map(_NUMBER.fullmatch, numbers)):
            raise InvalidProgramError(f"line {number}: {name}={value[:40]} is no number of a shape")
        if name not in KNOWN:
            raise InvalidProgramError(f"line {number}: {unknown('number of a shape', name, KNOWN)}")
        sizes[name] = tuple(map(int, numbers)) if name in LISTS else int(value)
    try:
        shape = PipelineShape(**sizes)
        if shape.ranks is None and shape.replicas is None and shape.workers == 1 \
                and shape.worker_devices != devices:
            return replace(shape, ranks=devices)
    except (TypeError, ValueError) as error:
        raise InvalidProgramError(f"line {number}: {error}") from None
    return shape


def shape_of_cells(rows: Rows, dialect: Dialect) -> PipelineShape:
    """The shape that the cells have: a mini-batch per update, or one where nothing is updated.

    A device per line.  Where devices hold equally many stages, each of one home, they are chunks.
    Raises InvalidProgramError.
    """
    every = [each for row in rows for cell in row for each in cell]
    stages = max(each.stage for each in every) + 1
    held = [len({each.stage for cell in row for each in cell}) for row in rows]
    passes = [each for each in every if each.micro_batch is not None and each.kind != "U"]
    if stages > len(passes):
        raise InvalidProgramError(f"each stage does F of every micro-batch: {stages} stages, "
                                  f"{len(passes)} forwards and backwards")
    ends = [_end(each, dialect) for each in passes]
    total, size, last = _sizes([each for each in every if each.kind == "U"], max(ends))
    even = set(held) == {stages // len(rows)} and not stages % len(rows)
    try:
        return PipelineShape(stages, -(-total // size), size, held[0] if even else 1,
                             ranks=None if even or stages == len(rows) else len(rows),
                             last_microbatches=None if last == size else last)
    except ValueError as error:
        raise InvalidProgramError(str(error)) from None


def _end(token: Token, dialect: Dialect) -> int:
    """The number behind the last micro-batch of a pass."""
    up = (dialect.downs or 0) if token.direction == "u" else 0
    return (token.micro_batch or 0) + token.size + up


def _sizes(updates: Sequence[Token], total: int) -> tuple[int, int, int]:
    """All micro-batches, those of a mini-batch, and those of the last one.

    Raises InvalidProgramError where updates cover other than equal mini-batches and a smaller last.
    """
    if not updates:
        return total, total, total
    size = max(each.size for each in updates)
    total = max(total, *((each.micro_batch or 0) + each.size for each in updates), 1)
    last = total % size or size
    for each in updates:
        first = each.micro_batch or 0
        if first % size or each.size != (last if first + size > total else size):
            raise InvalidProgramError("updates cover equal mini-batches, of which the last may be "
                                      f"smaller; these differ in size: {each}")
    return total, size, last
