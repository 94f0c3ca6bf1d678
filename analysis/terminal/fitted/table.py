"""A table that is laid out when it is printed, for the width there is: no number is ever cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from textwrap import wrap

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

from analysis.terminal.fitted.heads import HYPHEN, broken
from analysis.terminal.fitted.layout import BETWEEN, Block, Cell, Column, Laid, blocks
from analysis.terminal.fitted.units import NONE


def names(head: str, *, lines: bool = False) -> Column:
    """A column of names, which stands in every block; of several `lines` where that is said."""
    return Column(head, left=True, key=True, lines=lines)


@dataclass
class FittedTable:
    """A table for whatever width it is printed at; one too narrow has its columns in several
    blocks, which repeat the names.

    Cells are text, one a column; at a line break in one it breaks if it has to.  `notes` are lines
    below the table.  A column in which no row has anything is left out, and what a `once` column
    says in all rows stands in the title.
    """

    title: str
    columns: Sequence[Column]
    notes: Sequence[str] = ()
    rows: list[tuple[list[Cell], str]] = field(default_factory=list)
    sections: set[int] = field(default_factory=set)

    def add_row(self, *cells: Cell, style: str = "") -> None:
        """A row, one cell for each column; missing ones at the end are empty."""
        self.rows.append(([*cells, *[""] * (len(self.columns) - len(cells))], style))

    def add_section(self) -> None:
        """A line below the rows so far."""
        self.sections.add(len(self.rows) - 1)

    def __rich_console__(self, console: Console, options: ConsoleOptions
                         ) -> Iterator[RenderableType]:
        """What rich prints: the title, the table in one block or several, the notes."""
        shown, said = self._shown()
        title = "; ".join(filter(None, (self.title, said)))
        if title:
            yield Text(title, style="bold")
            yield ""
        for block in blocks(shown, options.max_width):
            yield self._table(shown, block)
            yield ""
        yield from map(Text, self.notes)
        if self.notes:
            yield ""

    def _shown(self) -> tuple[list[Laid], str]:
        """The columns that are drawn, and what is said of those that are the same in all rows."""
        shown, said = [], []
        for place, column in enumerate(self.columns):
            cells = [row[place] for row, _ in self.rows]
            known = {str(cell) for cell in cells} - {""}
            if not column.key and not known - {NONE}:
                continue
            if column.once and len(known) == 1 and len(cells) > 1:
                said.append(" ".join(f"{column.head} {known.pop()} {column.unit}".split()))
            else:
                shown.append(Laid(column, cells))
        return shown, f"in every row: {', '.join(said).replace(HYPHEN, '')}" if said else ""

    def _table(self, shown: Sequence[Laid], block: Block) -> Table:
        table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
        mine = [shown[place] for place in block.places]
        for each, width in zip(mine, block.widths, strict=True):
            table.add_column(Text("\n".join(broken(each.column.whole_head, width))),
                             justify="left" if each.column.left else "right", width=width,
                             no_wrap=each.size(block.level) <= width, overflow="fold")
        for number, (_, style) in enumerate(self.rows):
            if _anything(shown, number) and not _anything(mine, number):
                continue  # all it has stands in another block
            table.add_row(*(each.cell(number, block.level) for each in mine), style=style,
                          end_section=number in self.sections)
        return table


def _anything(columns: Iterable[Laid], number: int) -> bool:
    """Whether a row has anything beside its name in any of the columns."""
    return any(str(each.cells[number]) for each in columns if not each.column.key)


@dataclass(frozen=True)
class Facts:
    """Named lines under a title, each folded at blanks where it is longer than the screen."""

    title: str
    lines: Sequence[tuple[str, str]]

    def __rich_console__(self, console: Console, options: ConsoleOptions
                         ) -> Iterator[RenderableType]:
        """What rich prints: the title, and the lines with their texts below each other."""
        yield Text(self.title, style="bold")
        yield ""
        before = max((len(label) for label, _ in self.lines), default=0) + BETWEEN
        room = max(1, options.max_width - before)
        for label, said in self.lines:
            folded = wrap(said, room, break_on_hyphens=False)
            for number, line in enumerate(folded or [""]):
                yield Text(("" if number else label).ljust(before) + line)
        yield ""
