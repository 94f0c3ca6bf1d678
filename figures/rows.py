"""A figure's data read back from its CSV, with the types it was written from."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from pathlib import Path
from typing import Any

from sim.errors import ConfigurationError, InputError
from sim.files.reading import as_written
from sim.rows import Rows

INTEGER = re.compile(r"-?\d+")
WORDS: dict[str, Any] = {"": None, "True": True, "False": False}


def read_rows(path: Path) -> Rows:
    """The rows of a CSV that `figures.origin.save` wrote, in the types they had.

    Raises ConfigurationError where it is none.
    """
    try:
        lines = list(csv.reader(io.StringIO(as_written(path), newline=""), strict=True))
    except InputError as error:
        raise ConfigurationError(error.lines) from None
    except csv.Error:
        raise ConfigurationError([f"{path}: not a CSV file"]) from None
    names, *cells = [line for line in lines if line] or [[]]
    if not cells:
        raise ConfigurationError([f"{path}: holds no rows"])
    twice = [name for name, times in Counter(names).items() if times > 1 or not name]
    if twice:
        raise ConfigurationError([f"{path}: a name for each column, got {name!r} twice" if name
                                  else f"{path}: a column without a name" for name in twice])
    odd = next((n for n, line in enumerate(cells, 2) if len(line) != len(names)), None)
    if odd is not None:
        raise ConfigurationError([f"{path}: {len(names)} cells in every row, got "
                                  f"{len(cells[odd - 2])} in row {odd}"])
    return [dict(zip(names, map(value, line), strict=True)) for line in cells]


def value(text: Any) -> Any:
    """What a cell held: None if empty, a truth value, an integer, a float, or the text itself."""
    if text in WORDS:
        return WORDS[text]
    if INTEGER.fullmatch(str(text)):
        return int(text)
    try:
        return float(text)
    except (TypeError, ValueError):
        return text
