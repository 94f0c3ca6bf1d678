"""A validation's folder: report, page, raw rows, profiles and pictures; and pictures of folders."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.validation.errors import event_rows
from analysis.validation.text import markdown
from figures.drawing.look import Look
from figures.drawing.style import styled
from figures.origin import save
from figures.rows import read_rows
from figures.traces.validated import event_errors, pairs, scatter
from figures.traces.validated.settings import network
from sim.errors import ConfigurationError, InputError, MistakeError
from sim.experiment.compared.validated import Validated
from sim.files.reading import text_of
from sim.files.writing import write_text
from sim.rows import Row, Rows, rows_as_csv
from sim.times.profile import write_profile

LABELS = ("model", "schedule", "mitigation", "microbatches", "batch_size", "image_size")
REPORT, ROWS = "report.json", "rows.csv"
NAMES = ("validation", "scatter", "event_errors")  # of the pictures
Report = Mapping[str, Any]


def write(report: Report, found: Sequence[Validated], out: Path) -> None:
    """Write a validation's files into the folder, every one whole or not at all.

    `found` are the runs of a `gpu` validation.  report.json comes last, so that where it is, all of
    them are.
    """
    rows: Rows = []
    for each, run in zip(found, report["runs"], strict=True):
        rows += _rows(each, run)
        name = re.sub(r"[^\w.-]+", "-", run["label"]).strip("-")
        write_profile(each.profile, out / "profiles" / f"{name}.json")
    _pictures([report], [rows], out, report["command"])
    for name, text in ((ROWS, rows_as_csv(rows)), ("report.md", markdown(report)),
                       (REPORT, json.dumps(report, indent=1, allow_nan=False) + "\n")):
        write_text(out / name, text)


def draw(folders: Sequence[Path], out: Path, command: str, look: Look | None = None
         ) -> list[Path]:
    """Draw the pictures of validations from their folders, all in one; nothing is measured again.

    Each folder holds a `report.json` and a `rows.csv`, as `gpu validate --out` writes them;
    `command` is what the pictures say made them, `look` how they look (None: as the gallery's).
    The paths of the files written.

    Raises ConfigurationError naming what a folder lacks.
    """
    reports, rows = [], []
    for folder in folders:
        reports.append(_report(folder / REPORT))
        rows.append(read_rows(folder / ROWS))
    try:
        return _pictures(reports, rows, out, command, look)
    except (MistakeError, MemoryError):
        raise
    except Exception as error:  # files of something else can go wrong in any way
        names = ", ".join(map(str, folders))
        raise ConfigurationError([f"{names}: not what a validation wrote ({error!r})"]) from None


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


@styled()
def _pictures(reports: Sequence[Report], rows: Sequence[Sequence[Row]], out: Path, command: str,
              look: Look | None = None) -> list[Path]:
    """The timelines, the scatter and the histograms of some reports and their raw rows."""
    shown = pairs.chosen(_joined(reports, rows))
    points = scatter.chosen(reports)
    bins = event_errors.chosen(reports, rows)
    look = look or Look()
    drawn = ((pairs.draw(shown, look), shown), (scatter.draw(points, look), points),
             (event_errors.draw(bins, look), bins))
    return [path for name, (figure, each) in zip(NAMES, drawn, strict=True)
            for path in save(figure, each, out, name, command, formats=look.formats)]


def _joined(reports: Sequence[Report], rows: Sequence[Sequence[Row]]) -> Rows:
    """The raw rows of all reports, of runs that are told apart by their network; of a run that
    several reports have, those of the first."""
    if len(reports) == 1:
        return list(rows[0])
    joined: Rows = []
    seen: set[str] = set()
    for report, events in zip(reports, rows, strict=True):
        named = [{**row, "run": _named(report, row)} for row in events]
        joined += [row for row in named if row["run"] not in seen]
        seen |= {row["run"] for row in named}
    return joined


def _named(report: Report, row: Row) -> str:
    """A run's label with its network, which stands in it where a report has several."""
    label, model = str(row["run"]), str(row.get("model", report["model"]))
    return label if model in label else f"{network(model)}, {label}"


def _rows(found: Validated, run: Report) -> Rows:
    labels = {"run": run["label"], **{name: run[name] for name in LABELS}}
    return event_rows(labels, found.predicted, found.measured)
