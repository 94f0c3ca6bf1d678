"""Which columns of a table stand beside each other on a screen, how wide, and how roomily.

The first of these that fits is taken: heads and cells on a line each; heads on several lines, then
broken within words; intervals below their numbers; several blocks, one below the other, that repeat
the names.  A name or a text too long for all of that is folded; a number never is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from analysis.terminal.fitted.heads import HYPHEN, narrowest

Cell = str | Text
BETWEEN = 2  # blanks between columns
READABLE = 24  # characters of a text's line, where it has as many
STACKED = 4  # the level at which a cell's parts stand below each other
LEVELS = range(STACKED + 1)  # heads on one line; on two; on a line a word; broken words; cells too


@dataclass(frozen=True)
class Column:
    """A column: its head and unit, and what may become of it where the screen is narrow.

    A head may break at blanks, and at a soft hyphen within a word.  Columns of one `group` stay
    beside each other as long as they can.  A `key` names the rows and stands in every block;
    `words` may be folded at blanks; `lines` stay below each other in a cell however wide the screen
    is.  What is the same in all rows is said in the title instead where `once` is set.
    """

    head: str
    unit: str = ""
    left: bool = False
    group: int = 0
    key: bool = False
    words: bool = False
    lines: bool = False
    once: bool = False

    @property
    def whole_head(self) -> str:
        """The head with its unit behind it."""
        return f"{self.head} {self.unit}".strip()


class Laid:
    """A column with its cells, (rows,), measured."""

    def __init__(self, column: Column, cells: Sequence[Cell]) -> None:
        self.column, self.cells = column, cells
        texts = [str(cell) for cell in cells]
        self._whole = max((cell_len(text.replace("\n", " ")) for text in texts), default=0)
        self._part = max((cell_len(part) for text in texts for part in text.split("\n")), default=0)
        self._word = max((cell_len(part) for text in texts for part in text.split()), default=0)
        plain = column.whole_head.replace(HYPHEN, "")
        words = [cell_len(part) for part in plain.split()]
        self._heads = (cell_len(plain), _on_two_lines(words), max(words, default=0),
                       narrowest(column.whole_head))

    def size(self, level: int) -> int:
        """Characters of the widest cell."""
        return self._part if self._stacked(level) else self._whole

    def cell(self, number: int, level: int) -> Cell:
        """A row's cell, its parts below each other at the last level or where they are lines."""
        cell = self.cells[number]
        if self._stacked(level) or "\n" not in str(cell):
            return cell
        return cell.replace("\n", " ") if isinstance(cell, str) else Text(" ").join(cell.split())

    def width(self, level: int) -> int:
        """Characters the column would like to have."""
        return max(self.size(level), self._head(level))

    def least(self, level: int) -> int:
        """Characters it can do with: fewer than it would like where it has words to fold."""
        if not self.column.words:
            return self.width(level)
        return min(self.width(level), max(READABLE, self._word, self._head(level)))

    def _stacked(self, level: int) -> bool:
        return level == STACKED or self.column.lines

    def _head(self, level: int) -> int:
        return self._heads[min(level, len(self._heads) - 1)]


def _on_two_lines(words: Sequence[int]) -> int:
    """Characters of the longer of two lines that words of these lengths are put on."""
    return min((max(_line(words[:cut]), _line(words[cut:])) for cut in range(1, len(words) + 1)),
               default=0)


def _line(words: Sequence[int]) -> int:
    return sum(words) + max(0, len(words) - 1)


@dataclass(frozen=True)
class Block:
    """Which columns stand beside each other, how wide each is, and the level of their layout."""

    places: list[int]
    widths: list[int]
    level: int


Cost = tuple[int, int, int]  # blocks, breaks within a group, unevenness: less is better


def blocks(columns: Sequence[Laid], width: int) -> list[Block]:
    """The columns in as few blocks as fit into `width` characters.

    Broken between groups rather than within one, and into blocks of as many columns each as can
    be.
    """
    keys = [place for place, each in enumerate(columns) if each.column.key]
    others = [place for place, each in enumerate(columns) if not each.column.key]
    if not others:
        return [_forced(columns, keys, width)] if keys else []
    best: list[tuple[Cost, list[Block]]] = [((0, 0, 0), [])]
    for end in range(1, len(others) + 1):
        found: list[tuple[Cost, list[Block]]] = []
        for start in reversed(range(end)):
            places = keys + others[start:end]
            block = _fitted(columns, places, width)
            if block is None and start < end - 1:
                break
            last = block or _forced(columns, places, width)
            count, inside, uneven = best[start][0]
            uneven += len(last.places) ** 2
            inside += start > 0 and _together(columns[others[start - 1]], columns[others[start]])
            found.append(((count + 1, inside, uneven), [*best[start][1], last]))
        best.append(min(found, key=lambda each: each[0]))
    return best[-1][1]


def _together(one: Laid, other: Laid) -> bool:
    return one.column.group == other.column.group


def _fitted(columns: Sequence[Laid], places: list[int], width: int) -> Block | None:
    """The columns beside each other, as roomily as fits; None where they do not fit."""
    room = width - BETWEEN * (len(places) - 1)
    for level in LEVELS:
        widths = [columns[place].least(level) for place in places]
        if sum(widths) <= room:
            wanted = [columns[place].width(level) for place in places]
            return Block(places, _shared(widths, wanted, room), level)
    return None


def _shared(widths: list[int], wanted: list[int], room: int) -> list[int]:
    """The widths, and what they leave of the room evenly to those that want more."""
    widths, left = list(widths), room - sum(widths)
    while left > 0:
        wanting = [place for place, width in enumerate(widths) if width < wanted[place]][:left]
        if not wanting:
            break
        for place in wanting:
            widths[place] += 1
        left -= len(wanting)
    return widths


def _forced(columns: Sequence[Laid], places: list[int], width: int) -> Block:
    """Columns that do not fit side by side, the widest of them narrowed until they do."""
    widths = [columns[place].least(STACKED) for place in places]
    room = max(len(places), width - BETWEEN * (len(places) - 1))
    while sum(widths) > room:
        widths[widths.index(max(widths))] -= 1
    return Block(places, widths, STACKED)
