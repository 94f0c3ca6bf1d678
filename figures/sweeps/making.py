"""The picture of a sweep, made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from figures.drawing.look import Look
from figures.origin import paths, save
from figures.own.asked import Asked
from figures.sweeps.drawing import draw, rows_of
from figures.sweeps.table import read
from sim.errors import ConfigurationError
from sim.files.writing import check_file

NAME = "sweep"
OPTIONS = ("--x", "--y", "--by", "--title", "--width", "--font", "--format", "--dpi")


def make(table: Path, keys: tuple[str | None, str | None, str | None], look: Look, out: Path,
         given: Mapping[str, Any]) -> list[Path]:
    """Draw `x`, `y` and `by` of a sweep's table and write the picture; the paths of its files.

    `given` are the options as they were given.  Raises ConfigurationError naming the columns there
    are where x or y is missing, or OutputError.
    """
    x, y, by = keys
    if x is None or y is None:
        found = read(table)
        missing = " and ".join(option for option, key in (("--x", x), ("--y", y)) if key is None)
        raise ConfigurationError([f"{missing}: name a column; keys and results of {table} are "
                                  f"{', '.join(found.choices())}"])
    for path in paths(out, NAME, look.formats):
        check_file(path)
    rows = rows_of(table, x, y, by)
    command = Asked((NAME,), (table,), given=given).command(*OPTIONS)
    with look.worn():
        return save(draw(rows, look), rows, out, NAME, command, formats=look.formats)
