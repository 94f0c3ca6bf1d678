"""The table of a finished sweep: a row per point, in the points' order."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from analysis.sweep.journal import Record
from sim.files.writing import write_text
from sim.rows import Row, rows_as_csv

FILES = ("table.csv", "table.json")


def rows(records: Sequence[Record]) -> list[Row]:
    """A row per point: number, settings, error, then the report's numbers by dotted name."""
    return [{"point": record["point"], **record["settings"], "error": _error(record),
             **(record["report"] or {})} for record in records]


def _error(record: Record) -> str | None:
    error = record["error"]
    return error and f"{error['kind']}: {error['message']}"


def write(found: Sequence[Row], out: Path) -> list[Path]:
    """Write `table.csv`, lists and tables in its cells as JSON, and `table.json`; their paths."""
    text = rows_as_csv([{key: json.dumps(value) if isinstance(value, list | dict) else value
                         for key, value in row.items()} for row in found])
    written = [out / name for name in FILES]
    for path, content in zip(written, (text, json.dumps(found, indent=1, allow_nan=False) + "\n"),
                             strict=True):
        write_text(path, content)
    return written


def failures(found: Sequence[Row]) -> list[tuple[str, int]]:
    """Every error and how many points ended with it, the most frequent first."""
    return Counter(row["error"] for row in found if row["error"]).most_common()
