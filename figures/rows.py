"""A figure's data read back from its CSV, with the types it was written from."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

from sim.errors import ConfigurationError
from sim.rows import Rows

INTEGER = re.compile(r"-?\d+")
WORDS: dict[str, Any] = {"": None, "True": True, "False": False}


def read_rows(path: Path) -> Rows:
    """The rows of a CSV that `figures.origin.save` wrote, in the types they had.

    Raises ConfigurationError where it is none.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [{name: value(text) for name, text in row.items()}
                    for row in csv.DictReader(file, strict=True)]
    except (UnicodeDecodeError, csv.Error):
        raise ConfigurationError([f"{path}: not a CSV file"]) from None
    if not rows:
        raise ConfigurationError([f"{path}: holds no rows"])
    return rows


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
