"""A program's text cut into lines and cells, whatever a spreadsheet or a notebook made of it.

Cells are separated by commas, semicolons, tabs or blanks: by what there is most of.  A byte order
mark, quotes around a cell, and cells that are empty or say `None` are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

NAMES = {",": "", ";": "cells separated by semicolons", "\t": "cells separated by tabs",
         " ": "cells separated by blanks"}
_GROUP = re.compile(r"(\([^()]*\))")  # a pair, in which a semicolon separates nothing
_HEADER = re.compile(r"#\s*pipestale program:(.*)")
_NOTHING = ("none", "nan", "null")


@dataclass(frozen=True)
class Line:
    """The cells of one line that say something, `number` its place in the text from 1."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Sheet:
    """A text as cells: its `lines`, a device each, and the fields of our `header` with its line.

    `passed_over` says what of the text was left out or taken in another way than usual.
    """

    lines: tuple[Line, ...]
    header: tuple[int, str] | None
    passed_over: tuple[str, ...]


def cut(text: str) -> Sheet:
    """Lines and cells of a text.  Lines without a letter or a number and comments are no lines."""
    marked = text.startswith("\ufeff")
    numbered = [(number, line) for number, line in
                enumerate(text.removeprefix("\ufeff").splitlines(), 1) if line.strip()]
    bare = [(number, line.strip(" \"',;\t")) for number, line in numbered]
    comments = {number: line for number, line in bare if line.startswith("#")}
    header = next(((number, found[1]) for number, line in comments.items()
                   if (found := _HEADER.match(line))), None)
    rows = [(number, line) for number, line in numbered if number not in comments]
    separator = _separator(line for _, line in rows)
    raw = [(number, [cell.strip() for cell in _split(line, separator)]) for number, line in rows]
    quoted = any(cell[:1] in ("'", '"') for _, cells in raw for cell in cells)
    plain = [(number, [_unquoted(cell) for cell in cells]) for number, cells in raw]
    said_none = any(cell.lower() in _NOTHING for _, cells in plain for cell in cells)
    notes = [("a byte order mark passed over", marked), (NAMES[separator], bool(NAMES[separator])),
             ("quotes taken off", quoted), ("cells that say None passed over", said_none)]
    return Sheet(tuple(Line(number, tuple(c for c in cells if c and c.lower() not in _NOTHING))
                       for number, cells in plain),
                 header, tuple(note for note, said in notes if said))


def _separator(lines: Iterator[str]) -> str:
    """What there is most of between cells; a comma where there is nothing or as much of it."""
    times = dict.fromkeys(NAMES, 0)
    for line in lines:
        outside = _GROUP.sub("", line) if "(" in line else line
        for each in ",;\t":
            times[each] += outside.count(each)
        times[" "] += len(outside.split(" ")) > 1
    most = max(",;\t", key=lambda each: times[each])
    return " " if not times[most] and times[" "] else most


def _split(line: str, separator: str) -> list[str]:
    """The cells of a line; a separator inside a pair's brackets separates nothing."""
    if separator == " ":
        separator = " "
        line = re.sub(r"\s+", " ", line.strip())
    if "(" not in line:
        return line.split(separator)
    cells = [""]
    for place, piece in enumerate(_GROUP.split(line)):
        if place % 2:
            cells[-1] += piece
        else:
            first, *more = piece.split(separator)
            cells[-1] += first
            cells += more
    return cells


def _unquoted(cell: str) -> str:
    """A cell without the quotes around it."""
    if len(cell) > 1 and cell[0] == cell[-1] and cell[0] in "'\"":
        return cell[1:-1].strip()
    return cell
