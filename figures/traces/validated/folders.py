"""What validations wrote into their folders, read back: a report and its raw rows each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from figures.rows import read_rows
from figures.traces.validated.settings import network
from sim.errors import ConfigurationError, InputError
from sim.files.reading import text_of
from sim.rows import Row, Rows

REPORT, ROWS = "report.json", "rows.csv"
NEEDED = ("run", "schedule", "device", "stage", "op", "minibatch",
          *(f"{side}_{end}_s" for side in ("predicted", "measured") for end in ("start", "end")))
Report = Mapping[str, Any]


@dataclass(frozen=True)
class Written:
    """What one validation wrote: its report, and a row per instruction, predicted and measured."""

    report: Report
    rows: Sequence[Row]


def read(folder: Path) -> Written:
    """A validation's folder.  Raises ConfigurationError naming what it lacks."""
    report, rows = _report(folder / REPORT), read_rows(folder / ROWS)
    lacking = [name for name in NEEDED if name not in rows[0]]
    if lacking:
        raise ConfigurationError([f"{folder / ROWS}: not what a validation wrote; columns are "
                                  f"missing: {', '.join(lacking)}"])
    return Written(report, rows)


def _report(path: Path) -> Report:
    try:
        report: Report = json.loads(text_of(path))
    except InputError as error:
        raise ConfigurationError(error.lines) from None
    except (ValueError, RecursionError):
        raise ConfigurationError([f"{path}: not JSON"]) from None
    if not isinstance(report, dict) or not report.get("runs"):
        raise ConfigurationError([f"{path}: not the report of a validation"])
    return report


def joined(found: Sequence[Written]) -> Rows:
    """The raw rows of all reports, of runs that are told apart by their network; of a run that
    several reports have, those of the first."""
    if len(found) == 1:
        return list(found[0].rows)
    together: Rows = []
    seen: set[str] = set()
    for each in found:
        named = [{**row, "run": _named(each.report, row)} for row in each.rows]
        together += [row for row in named if row["run"] not in seen]
        seen |= {row["run"] for row in named}
    return together


def _named(report: Report, row: Row) -> str:
    """A run's label with its network, which stands in it where a report has several."""
    label, model = str(row["run"]), str(row.get("model", report["model"]))
    return label if model in label else f"{network(model)}, {label}"
