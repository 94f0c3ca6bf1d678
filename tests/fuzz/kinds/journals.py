"""Journals of sweeps, damaged as no killed sweep leaves them; the table has to come out right."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from analysis.sweep.reading import read_sweep
from analysis.sweep.run import JOURNAL, run_sweep
from tests.fuzz.case import Case
from tests.fuzz.doors import in_turn
from tests.fuzz.kinds.sweeps import GRID, SEARCH
from tests.fuzz.mutate import damaged, damaged_bytes, damaged_lines
from tests.fuzz.text import json_text, toml


@cache
def finished(number: int) -> tuple[bytes, str, Any]:
    """A sweep's file, the journal it leaves, and the rows of its table."""
    content = toml((GRID, SEARCH)[number]).encode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "s.toml")
        path.write_bytes(content)
        run_sweep(read_sweep(path), Path(folder, "o"), in_turn(None))
        rows = json.loads(Path(folder, "o", "table.json").read_text())
        return content, Path(folder, "o", JOURNAL).read_text(), rows


def journal(rng: Random) -> Case:
    """A finished sweep begun again over its damaged journal."""
    content, text, rows = finished(rng.randrange(2))
    head, *lines = text.splitlines()
    place = rng.randrange(len(lines))
    drawn = rng.random()
    expected = rows
    if drawn < 0.4:
        lines[place] = _without_sense(json.loads(lines[place]), rng)
    elif drawn < 0.5:
        lines.insert(rng.randrange(len(lines)), rng.choice(("", "null", "[]", "{}", "x", "1" * 5000,
                                                            lines[place], "[" * 5000)))
    elif drawn < 0.6:
        lines[place] = json_text(damaged(json.loads(lines[place]), rng))
        expected = None  # another number in the place of one is nobody's to see
    elif drawn < 0.75:
        head = json_text(damaged(json.loads(head), rng))
    elif drawn < 0.85:
        return _again(content, damaged_bytes(text.encode(), rng), None)
    else:
        return _again(content, damaged_lines(text, rng).encode(), None)
    return _again(content, "\n".join([head, *lines, ""]).encode("utf-8", "surrogatepass"),
                  expected)


def _without_sense(record: dict[str, Any], rng: Random) -> str:
    """The line of a record with which nobody could make a row."""
    deed = rng.randrange(5)
    if deed == 0:
        del record[rng.choice(list(record))]
    elif deed == 1:
        record["point"] = rng.choice((True, False, 1.5, "0", None, -1, 10**19, [], {}, 99))
    elif deed == 2:
        record["report"] = rng.choice((float("nan"), 1, "x", [], [1]))
    elif deed == 3:
        record["settings"] = rng.choice((None, 1, [], "x"))
    else:
        record["error"] = rng.choice((True, 1, "x", [], {"kind": 1}))
    return json_text(record)


def _again(content: bytes, found: bytes, rows: Any) -> Case:
    return Case("sim", ("sweep", "s.toml", "--out", "o", "--json"),
                {"s.toml": content, f"o/{JOURNAL}": found}, outputs=("o",), rows=rows,
                impossible=rows is None)


