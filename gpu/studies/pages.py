"""The files and tables of a study's report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sim.files.writing import write_json, write_text
from sim.wording import markdown_table


def write_report(report: dict[str, Any], text: str, out: Path, name: str) -> list[Path]:
    """Write a study's report as `name.json` and its `text` as `name.md`; the paths."""
    paths = [out / f"{name}.json", out / f"{name}.md"]
    write_json(paths[0], report)
    write_text(paths[1], text)
    return paths


def report_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table in the form the committed reports of measurements have."""
    return markdown_table(header, rows, rule=" --- ")
