"""The committed data that checks compute from, and how they write what they find."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from figures.rows import read_rows
from sim.rows import Rows
from sim.spread import Paired, Spread, spread_of
from tests.docs.documents import ROOT, text_of

GALLERY, MEASURED = ROOT / "figures/gallery", ROOT / "figures/measured"


@cache
def _rows(name: str) -> tuple[dict[str, Any], ...]:
    return tuple(read_rows(GALLERY / f"{name}.csv"))


def gallery(name: str) -> Rows:
    """The rows beside a picture of the gallery."""
    return [dict(row) for row in _rows(name)]


@cache
def report(path: str) -> Any:
    """A JSON file under figures/measured."""
    return json.loads((MEASURED / path).read_text(encoding="utf-8"))


def column(rows: Iterable[dict[str, Any]], name: str, **key: Any) -> list[Any]:
    """One column of the rows that have this key, in the order of their seeds."""
    mine = [row for row in rows if all(row[k] == v for k, v in key.items())]
    assert mine, key
    return [row[name] for row in sorted(mine, key=lambda row: row.get("seed") or 0)]


def told(found: Paired | Spread, form: str = ".2g") -> str:
    """A pair with interval and p, or a spread, as passages write them."""
    return found.text(lambda value: plain(value, form))


def plain(value: float, form: str = ".2g") -> str:
    """A number without an exponent: whole where it is large."""
    text = f"{value:{form}}"
    return text if "e" not in text else f"{value:.0f}" if abs(value) > 1 else f"{value:.5f}"


def mean_sd(values: Sequence[float], form: str) -> str:
    return spread_of(values)._replace(ci95=None).text(lambda value: f"{value:{form}}")


def published(number: str) -> str:
    """A number of the papers, which has to stand in the reference's table of them."""
    _, _, after = text_of("sim/REFERENCE.md").partition("## 7. Published numbers")
    table = after.partition("\n## ")[0]
    assert re.search(rf"(?<![\d.]){re.escape(number)}(?![\d.])", table), number
    return number
