"""Rows as CSV text; `analysis.exports` writes whole traces."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any


def rows_as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV text; floats in repr precision, what is missing empty."""
    text = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    write = csv.DictWriter(text, names, lineterminator="\n", restval="")
    write.writeheader()
    write.writerows({k: "" if v is None else v for k, v in row.items()} for row in rows)
    return text.getvalue()
