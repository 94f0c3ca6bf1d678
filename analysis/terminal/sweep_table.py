"""A sweep's results for the terminal: a row a point, or the best of many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from analysis.sweep.tables import failures, setting_text, settings_of
from analysis.terminal.fitted.layout import Column
from analysis.terminal.fitted.table import FittedTable
from analysis.terminal.fitted.units import (
    BYTES,
    NONE,
    SECONDS,
    aligned,
    in_percent,
    short,
    unit_for,
)
from analysis.terminal.tables import accuracy, fullest, loss
from sim.rows import Row
from sim.wording import plural

MOST_POINTS = 24  # shown; of more the best
BY = {"final_loss": "final loss", "steady_throughput_minibatches_per_s": "steady throughput",
      "makespan_s": "makespan"}  # what points are ordered by: the first that one has
MOST_NAMES = 2  # settings that name a point in every block; more leave no room for anything else
LARGEST_FIRST = ("steady_throughput_minibatches_per_s",)


def sweep_tables(rows: Sequence[Row]) -> list[FittedTable]:
    """A sweep for a screen: what each point set and what came of it, and what failed.

    Of many points the best are shown, by the loss, else by the rate or the time of a run.
    """
    given = [row for row in rows if not row["error"]]
    shown, title = _best(given, plural(len(rows), "point"))
    return [*([_table(shown, title)] if given else []), *_failed(rows)]


def _best(given: Sequence[Row], points: str) -> tuple[list[Row], str]:
    """The rows to show in their order, and how the table is called."""
    if len(given) <= MOST_POINTS:
        return list(given), points
    by = next((name for name in BY if any(row.get(name) is not None for row in given)), "point")
    sign = -1 if by in LARGEST_FIRST else 1
    ordered = sorted(given, key=lambda row: math.inf if row.get(by) is None else sign * row[by])
    return ordered[:MOST_POINTS], f"the best {MOST_POINTS} of {points}, by {BY.get(by, by)}"


def _table(rows: Sequence[Row], title: str) -> FittedTable:
    nested = [_nested(row) for row in rows]
    unit = unit_for(map(fullest, nested), BYTES)
    time = unit_for((row["makespan_s"] for row in rows), SECONDS)
    found = [
        (Column("final loss"), [_loss(row) for row in rows]),
        (Column("accu\u00adracy", "%"), [_accuracy(row) for row in rows]),
        (Column("makespan", time.sign), aligned([time.of(row["makespan_s"]) for row in rows], 4)),
        (Column("mini-batches/s"),
         aligned([row["steady_throughput_minibatches_per_s"] for row in rows])),
        (Column("bubble", "%"), in_percent([row["bubble_fraction"] for row in rows])),
        (Column("late at most"), aligned([row["staleness.max"] for row in rows])),
        (Column("incon\u00adsistent", "%"),
         in_percent([row["inconsistent_fraction"] for row in rows])),
        (Column("peak", unit.sign), aligned([fullest(row) / unit.size for row in nested]))]
    heads = _settings(rows)
    seeds = len(rows[0].get("seeds") or [0])
    notes = ["mini-batches/s: in the steady state; late: updates behind; peak: of the fullest "
             "device" + ("" if seeds == 1 else f"; means over {seeds} seeds")]
    table = FittedTable(title, [Column("point", key=True), *heads,
                                *(column for column, _ in found)], notes)
    for number, row in enumerate(rows):
        table.add_row(str(row["point"]), *(_cell(row.get(key)) for key in settings_of(rows[0])),
                      *(cells[number] for _, cells in found))
    return table


def _settings(rows: Sequence[Row]) -> list[Column]:
    """A column for each key that is swept, by its last part where no other has the same."""
    keys = list(settings_of(rows[0]))
    last = [key.rpartition(".")[2] for key in keys]
    return [Column((part if last.count(part) == 1 else key).replace("_", " "),
                   key=len(keys) <= MOST_NAMES,
                   left=not all(_is_number(row.get(key)) for row in rows))
            for key, part in zip(keys, last, strict=True)]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: Any) -> str:
    return short(value, 4) if isinstance(value, float) else str(setting_text(value))


def _nested(row: Row) -> dict[str, Any]:
    return {"memory": {"peak_device_bytes": row["memory.peak_device_bytes"]}}


def _loss(row: Row) -> str:
    if "seeds" in row:
        return loss(row)
    return "diverged" if row["diverged"] else short(row["final_loss"], 3)


def _accuracy(row: Row) -> str:
    if "seeds" in row:
        return accuracy(row)
    return NONE if row["accuracy"] is None else f"{100 * row['accuracy']:.2f}"


def _failed(rows: Sequence[Row], most: int = 10) -> list[FittedTable]:
    """How often each mistake was made; no table where none was."""
    found = failures(rows)
    left = len(found) - most
    table = FittedTable("failed", [Column("times", key=True),
                                   Column("why", left=True, words=True)],
                        [f"and {left} others (table.csv has all)"] if left > 0 else [])
    for error, count in found[:most]:
        table.add_row(str(count), error)
    return [table] if found else []
