"""Heads of columns on several lines, broken at blanks and, where need be, at hyphens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from rich.cells import cell_len

HYPHEN = "\u00ad"  # in a word: it may break here, and then ends in a hyphen
_BREAK = re.compile(f"(?<={HYPHEN})|(?<=-)")


class _Piece(NamedTuple):
    """What stays together on a line; `end` is what it ends in if the line ends with it."""

    text: str
    before: str
    end: str


def broken(head: str, width: int) -> list[str]:
    """The lines of a head that is to be at most `width` characters wide, if that can be.

    Words stay whole where they fit on a line; as few lines as can be, filled from the top.
    """
    lines: list[str] = []
    end = ""
    for piece in _pieces(head, width):
        longer = f"{lines[-1]}{piece.before}{piece.text}" if lines else ""
        if lines and cell_len(longer + piece.end) <= width:
            lines[-1] = longer
        else:
            if lines:
                lines[-1] += end
            lines.append(piece.text)
        end = piece.end
    return lines


def narrowest(head: str) -> int:
    """Characters of a head's widest piece."""
    return max((cell_len(piece.text + piece.end) for piece in _pieces(head, 0)), default=0)


def _pieces(head: str, width: int) -> Iterator[_Piece]:
    """Pieces in order; words that fit are whole."""
    for word in head.split():
        whole = word.replace(HYPHEN, "")
        parts = [word] if cell_len(whole) <= width else [*filter(None, _BREAK.split(word))]
        for number, part in enumerate(parts):
            yield _Piece(part.replace(HYPHEN, ""), " " if number == 0 else "",
                         "-" if part.endswith(HYPHEN) else "")
