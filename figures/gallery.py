"""The gallery's page: every picture in a folder with its message, from the data beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from figures.catalogue import FIGURES
from figures.origin import FORMATS, read_origin
from figures.rows import read_rows
from sim.files.writing import write_text

PAGE = "README.md"
OPENING = """# Gallery

Every picture with its data beside it; the command and configuration that made it stand in the
file's own metadata (`figures.origin.read_origin` reads them back). A number in a headline is read
off the CSV. `make gallery` makes all of it again; the test run compares the data with what the code
gives. Widths are those of a printed page (7.2 in), no text is smaller than 7 pt.
"""


def page(folder: Path) -> str:
    """The gallery in Markdown: the pictures found in `folder`, in the order of the catalogue."""
    return "\n".join([OPENING, *_sections(folder)])


def _sections(folder: Path) -> Iterator[str]:
    for name, pictures in FIGURES.items():
        for picture in pictures:
            table = folder / f"{picture.file}.csv"
            if not table.exists():
                continue
            message = picture.message(read_rows(table))
            command = read_origin(folder / f"{picture.file}.png").command
            others = ", ".join(f"[{kind}]({picture.file}.{kind})" for kind in FORMATS[1:])
            yield (f"## {name if len(pictures) == 1 else picture.file}\n\n{message}.\n\n"
                   f"![{message}]({picture.file}.png)\n\n"
                   f"`{command}` · [data]({table.name}), {others}\n")


def write_page(folder: Path) -> Path:
    """Write the gallery's page into the folder as README.md; its path."""
    write_text(folder / PAGE, page(folder))
    return folder / PAGE
