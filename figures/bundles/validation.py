"""A validation's folder: report, page, raw rows, profiles and figure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.validation.errors import event_rows
from analysis.validation.text import markdown
from figures.origin import save
from figures.pictures.validation import timelines
from sim.experiment.compared.validated import Validated
from sim.rows import rows_as_csv
from sim.times.profile import write_profile
from sim.trace import atomic_file

LABELS = ("schedule", "mitigation", "microbatches", "batch_size", "image_size")


def write(report: Mapping[str, Any], found: Sequence[Validated], out: Path) -> None:
    """Write a validation's files into the folder, every one whole or not at all.

    `found` are the runs of a `gpu` validation.  report.json comes last, so that where it is, all of
    them are.
    """
    rows: list[dict[str, Any]] = []
    for each, run in zip(found, report["runs"], strict=True):
        rows += _rows(each, run)
        name = re.sub(r"[^\w.-]+", "-", run["label"]).strip("-")
        write_profile(each.profile, out / "profiles" / f"{name}.json")
    shown = timelines.chosen(rows)
    save(timelines.draw(shown), shown, out, "validation", report["command"])
    for name, text in (("rows.csv", rows_as_csv(rows)), ("report.md", markdown(report)),
                       ("report.json", json.dumps(report, indent=1, allow_nan=False) + "\n")):
        with atomic_file(out / name) as file:
            file.write(text.encode())


def _rows(found: Validated, run: Mapping[str, Any]) -> list[dict[str, Any]]:
    labels = {"run": run["label"], **{name: run[name] for name in LABELS}}
    return event_rows(labels, found.predicted, found.measured)
