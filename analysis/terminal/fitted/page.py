"""A page of Markdown as it reads on a screen: tables that fit, text without its marks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rich.text import Text

from analysis.terminal.fitted.layout import Column
from analysis.terminal.fitted.table import FittedTable

_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_MARKS = re.compile(r"\*\*|`")
_BLOCK = re.compile(r"\n\s*\n")


def on_screen(markdown: str) -> Iterator[FittedTable | Text]:
    """What to print of a page, in turn: headings, paragraphs and lists as text, and tables.

    Columns of numbers are aligned to the right; those before the first of them name the rows.
    """
    for block in _BLOCK.split(markdown.strip()):
        lines = block.splitlines()
        if lines[0].startswith("|"):
            yield _table([_cells(line) for line in lines])
        elif lines[0].startswith("#"):
            yield Text(_plain(lines[0].lstrip("# ")) + "\n", style="bold")
        else:
            yield Text("\n".join(_joined(lines)) + "\n")


def _plain(text: str) -> str:
    """Text without links, emphasis and marks of code."""
    return _MARKS.sub("", _LINK.sub(r"\1", text))


def _joined(lines: Sequence[str]) -> list[str]:
    """A paragraph in one line, a list in one an entry."""
    found: list[str] = []
    for line in lines:
        text = _plain(line.removeprefix("> ").strip())
        if found and not text.startswith("- "):
            found[-1] += f" {text}"
        else:
            found.append(text)
    return found


def _cells(line: str) -> list[str]:
    return [_plain(cell.strip()) for cell in line.strip().strip("|").split("|")]


def _table(lines: Sequence[Sequence[str]]) -> FittedTable:
    """The table of lines of cells: the head, a rule, the rows."""
    head, rows = lines[0], lines[2:]
    numbers = [any(cell[:1].isdigit() or cell[:1] in "-+×<" for cell in column if cell)
               for column in zip(*rows, strict=True)] or [False] * len(head)
    first = numbers.index(True) if True in numbers[1:] else 1
    table = FittedTable("", [Column(name, left=not number, key=place < max(1, first))
                             for place, (name, number) in enumerate(zip(head, numbers,
                                                                        strict=True))])
    for row in rows:
        table.add_row(*row)
    return table
