"""A validation's folder: report, page, raw rows, profiles and pictures; and pictures of folders."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from analysis.validation.errors import event_rows
from analysis.validation.text import markdown
from figures.drawing.look import Look
from figures.drawing.style import styled
from figures.origin import save
from figures.traces.validated import event_errors, pairs, scatter
from figures.traces.validated.folders import REPORT, ROWS, Report, Written, joined, read
from sim.errors import ConfigurationError, MistakeError
from sim.experiment.compared.validated import Validated
from sim.files.writing import write_text
from sim.rows import Rows, rows_as_csv
from sim.times.profile import write_profile

LABELS = ("model", "schedule", "mitigation", "microbatches", "batch_size", "image_size")
NAMES = ("validation", "scatter", "event_errors")  # of the pictures


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
    _pictures([Written(report, rows)], out, report["command"], Look())
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
    found = [read(folder) for folder in folders]
    try:
        return _pictures(found, out, command, look or Look())
    except (MistakeError, MemoryError):
        raise
    except Exception as error:  # files of something else can go wrong in any way
        names = ", ".join(map(str, folders))
        raise ConfigurationError([f"{names}: not what a validation wrote ({error!r})"]) from None


@styled()
def _pictures(found: Sequence[Written], out: Path, command: str, look: Look) -> list[Path]:
    """The timelines, the scatter and the histograms of some reports and their raw rows."""
    reports = [each.report for each in found]
    shown = pairs.chosen(joined(found))
    points = scatter.chosen(reports)
    bins = event_errors.chosen(reports, [each.rows for each in found])
    drawn = ((pairs.draw(shown, look), shown), (scatter.draw(points, look), points),
             (event_errors.draw(bins, look), bins))
    return [path for name, (figure, each) in zip(NAMES, drawn, strict=True)
            for path in save(figure, each, out, name, command, formats=look.formats)]


def _rows(found: Validated, run: Report) -> Rows:
    labels = {"run": run["label"], **{name: run[name] for name in LABELS}}
    return event_rows(labels, found.predicted, found.measured)
