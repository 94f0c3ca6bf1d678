"""The tables that pictures are drawn from, and the options of `figures`."""

from __future__ import annotations

import csv
import io
from functools import cache
from pathlib import Path
from random import Random

from figures.catalogue import FIGURES
from tests.fuzz.case import Case
from tests.fuzz.mutate import damaged_bytes, damaged_lines, extreme, written

GALLERY = Path(__file__).parents[3] / "figures" / "gallery"
FILES = {picture.file: name for name, pictures in FIGURES.items() for picture in pictures
         if Path(GALLERY, f"{picture.file}.csv").exists()}
DRAWN = 0.06  # the share of tables that look sound, so that a picture is drawn of them
README = b"# x\n<!-- rates -->\n<!-- /rates -->\n"


def picture(rng: Random) -> Case:
    """A figure drawn again from a table, which most of the time is damaged beyond drawing."""
    file = rng.choice(list(FILES))
    name, text = FILES[file], _table(file)
    drawn = rng.random()
    if drawn < DRAWN:
        content = _one_cell(text, rng).encode("utf-8", "surrogatepass")
    elif drawn < 0.2:
        content = _one_column(text, rng).encode("utf-8", "surrogatepass")
    elif drawn < 0.4:
        content = damaged_bytes(text.encode(), rng)[:400]
    elif drawn < 0.6:
        head, *lines = text.splitlines(keepends=True)
        content = (damaged_lines(head, rng) + "".join(lines)).encode()
    elif drawn < 0.8:
        content = _table(rng.choice([each for each in FILES if each != file])).encode()
    else:
        content = rng.choice((b"", b"\n", b"a\n", b"a,a\n1,2\n", b'"a\n1', b"a,b\n1,2,3\n",
                              text.splitlines()[0].encode() + b"\n", b"\x00", b"x" * 200_000))
    return Case("figures", (name, "--from", f"{file}.csv", "--out", "o"),
                {f"{file}.csv": content}, outputs=("o",))


@cache
def _table(file: str) -> str:
    return (GALLERY / f"{file}.csv").read_text(encoding="utf-8")


def _rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def _joined(rows: list[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def _cell(rng: Random) -> str:
    return written(extreme(rng))[:3000].replace("\x00", " ")


def _one_cell(text: str, rng: Random) -> str:
    rows = _rows(text)
    row = rng.choice(rows[1:])
    row[rng.randrange(len(row))] = _cell(rng)
    return _joined(rows)


def _one_column(text: str, rng: Random) -> str:
    """A table with a column dropped, or of one value of no sense, or each row with one more."""
    rows = _rows(text)
    place = rng.randrange(len(rows[0]))
    deed = rng.randrange(4)
    value = _cell(rng)
    for number, row in enumerate(rows):
        if deed == 0 or (deed == 3 and number and place < len(row)):
            del row[place]
        elif deed == 1 and number:
            row[place] = rng.choice(("x", "", "[bold", value))
        elif deed == 2 and number:
            row.append(value)
    return _joined(rows)
