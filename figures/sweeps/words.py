"""Columns of a sweep's table in words and in a reader's units."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

SECTIONS = ("pipeline", "costs", "cluster", "training", "workers")
STEPS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))  # of bytes


class Quantity(NamedTuple):
    """A column as it is shown: its name, its unit (empty: none), and what numbers are multiplied
    by to be in it."""

    name: str
    unit: str = ""
    factor: float = 1.0

    @property
    def label(self) -> str:
        """What stands beside an axis."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    def said(self, value: Any) -> str:
        """A value of the column with its unit, in a few letters."""
        if not isinstance(value, int | float):
            return str(value)
        unit = self.unit if self.unit in ("", "%") else f" {self.unit}"
        shown = value * self.factor
        text = f"{shown:,.0f}" if 1000 <= abs(shown) < 1e6 else f"{shown:.3g}"
        return f"{text}{' ' * (unit == '%')}{unit}"


def quantity(column: str, values: Sequence[Any]) -> Quantity:
    """How a column with these values is shown.

    A share is shown in per cent, bytes in the largest unit of which one value has one at least.
    """
    name = plain_name(column)
    most = max((abs(each) for each in values if isinstance(each, int | float)), default=0.0)
    if "_fraction" in column or "accuracy" in column:
        return Quantity(name.replace(" fraction", ""), "%", 100.0)
    if "_bytes" in column or (column.startswith("memory.") and "_in_flight" not in column):
        unit = next(((size, name) for size, name in STEPS if most >= size), STEPS[-1])
        rate = "/s" if "per s" in name else ""
        return Quantity(_without(name, "bytes", "per s"), f"{unit[1]}{rate}", 1 / unit[0])
    if "per s" in name:
        return Quantity(_without(name, "minibatches", "per s"), "mini-batches/s")
    return Quantity(_without(name, "s"), "s") if "_s" in _endings(column) else Quantity(name)


def plain_name(column: str) -> str:
    """A column in words: a setting without its table, a result in full."""
    parts = column.split(".")
    kept = parts[1:] if parts[0] in SECTIONS and len(parts) > 1 else parts
    last = {"max": ", largest", "mean": ", mean"}.get(kept[-1]) if len(kept) > 1 else None
    words = " ".join(kept if last is None else kept[:-1]).replace("_", " ")
    return words if last is None else words + last


def _endings(column: str) -> list[str]:
    """The ending of each part of a column's name."""
    return [f"_{part.rpartition('_')[2]}" for part in column.split(".") if "_" in part]


def _without(name: str, *words: str) -> str:
    """A name without words that its unit says."""
    for word in words:
        name = re.sub(rf"\s?\b{word}\b", "", name, count=1)
    return " ".join(name.split())
