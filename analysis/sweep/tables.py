"""The table of a finished sweep: a row per point, in the points' order, a number a cell."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from analysis.sweep.journal import Record
from sim.files.writing import write_text
from sim.rows import Row, rows_as_csv

FILES = ("table.csv", "table.json")
MOST_PLACES = 64  # of a list that get a column each; of a longer one its mean and largest alone
ENDS = {"_ci95": ("low", "high"), "steady_minibatches": ("first", "last")}
NO_QUANTITY = ("seeds", "_values", *ENDS)  # ends of lists that no mean is taken of


def rows(records: Sequence[Record]) -> list[Row]:
    """A row per point: number, settings, error, then the report's numbers by dotted name."""
    return [{"point": record["point"], **record["settings"], "error": _error(record),
             **(record["report"] or {})} for record in records]


def _error(record: Record) -> str | None:
    error = record["error"]
    return error and f"{error['kind']}: {error['message']}"


def settings_of(row: Row) -> Row:
    """What a row's point sets, by dotted key."""
    names = list(row)
    return {name: row[name] for name in names[1 : names.index("error")]}


def write(found: Sequence[Row], out: Path) -> list[Path]:
    """Write `table.csv`, every cell a number or a text, and `table.json`, nested; their paths."""
    written = [out / name for name in FILES]
    for path, content in zip(written, (rows_as_csv(level(found)),
                                       json.dumps(found, indent=1, allow_nan=False) + "\n"),
                             strict=True):
        write_text(path, content)
    return written


def level(found: Sequence[Row]) -> list[Row]:
    """The rows with a column for each number: no lists, and all columns in every row.

    A list by stage, device or seed becomes `NAME.0`, `NAME.1`, …, with `NAME.mean` and `NAME.max`
    before them where it is a quantity; an interval `NAME.low` and `NAME.high`.  Of lists of more
    than `MOST_PLACES` the two are all.  Settings stay a cell each, written as `setting_text` does.
    """
    split = [{name: dict(_columns(name, value)) for name, value in
              {**row, **{key: setting_text(value) for key, value in settings_of(row).items()}
               }.items()} for row in found]
    names: dict[str, dict[str, None]] = {}
    for row in split:
        for name, columns in row.items():
            names.setdefault(name, {}).update(dict.fromkeys(columns))
    return [{column: row.get(name, {}).get(column) for name, columns in names.items()
             for column in columns} for row in split]


def _columns(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The columns that one value becomes; a list that none of them has room for becomes none."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _columns(f"{name}.{key}", inner)
    elif not isinstance(value, list):
        yield name, value
    else:
        numbers = [each for each in value if isinstance(each, int | float)]
        if numbers and not name.partition(".")[0].endswith(NO_QUANTITY):
            whole = len(numbers) == len(value)
            yield f"{name}.mean", sum(numbers) / len(numbers) if whole else None
            yield f"{name}.max", max(numbers)
        places = next((ends for end, ends in ENDS.items() if name.partition(".")[0].endswith(end)
                       and len(value) == len(ends) == len(numbers)), range(len(value)))
        if len(value) <= MOST_PLACES:
            for place, inner in zip(places, value, strict=True):
                yield from _columns(f"{name}.{place}", inner)


def setting_text(value: Any) -> Any:
    """A setting in one cell: a choice with parameters as `i-timeprest:decay=2.0`, other lists and
    tables as JSON, anything else as it is."""
    if isinstance(value, dict) and isinstance(value.get("name"), str):
        return ":".join([value["name"], *(f"{key}={inner}" for key, inner in value.items()
                                          if key != "name")])
    return json.dumps(value) if isinstance(value, list | dict) else value


def failures(found: Sequence[Row]) -> list[tuple[str, int]]:
    """Every error and how many points ended with it, the most frequent first."""
    return Counter(row["error"] for row in found if row["error"]).most_common()
