"""Rows of results: what a table, a CSV file or a picture is made from."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Row = dict[str, Any]
Rows = list[Row]


def rows_as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """CSV text with a column for every name in any row, in the order they first appear.

    Floats are written in `repr` precision; what a row lacks, or has as None, is an empty cell.
    """
    text = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    write = csv.DictWriter(text, names, lineterminator="\n", restval="")
    write.writeheader()
    write.writerows({k: "" if v is None else v for k, v in row.items()} for row in rows)
    return text.getvalue()


def plain(value: Any) -> Any:
    """The value in types that JSON has, tables and lists in it included.

    NumPy numbers become Python's, names of tables text, tuples lists, and a number that is not
    finite None, since JSON has no word for it.
    """
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
