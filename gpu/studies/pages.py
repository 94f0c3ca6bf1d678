"""The files and tables of a study's report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sim.rows import plain
from sim.trace import atomic_file
from sim.wording import markdown_table


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write a JSON file whole or not at all; numbers that are not finite become null."""
    write_text(path, json.dumps(plain(values), indent=2, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file, as UTF-8, whole or not at all."""
    with atomic_file(path) as file:
        file.write(text.encode())


def write_report(report: dict[str, Any], text: str, out: Path, name: str) -> list[Path]:
    """Write a study's report as `name.json` and its `text` as `name.md`; the paths."""
    paths = [out / f"{name}.json", out / f"{name}.md"]
    write_json(paths[0], report)
    write_text(paths[1], text)
    return paths


def report_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table in the form the committed reports of measurements have."""
    return markdown_table(header, rows, rule=" --- ")
