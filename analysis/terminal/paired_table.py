"""The table of paired differences: every row of a comparison against the first, seed by seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.table import Table

from analysis.terminal.tables import new_table
from sim.commands.door import number
from sim.spread import Paired

Row = Mapping[str, Any]


def paired_tables(rows: Sequence[Row], kind: str, name: Callable[[Row], str]) -> list[Table]:
    """A row for each that has been compared with the first; no table of one seed, or one row.

    `kind` is what the rows are, `name` what each is called.
    """
    mine = [row for row in rows if row["paired"] and len(row["seeds"]) > 1]
    if not mine:
        return []
    quantities = {"final_loss": "final loss", "accuracy": "accuracy, points",
                  "seconds_to_target": "to target, seconds"}
    shown = [quantity for quantity in quantities if quantity in mine[0]["paired"]]
    said = ("" if len(mine[0]["seeds"]) < 4 else
            ", mean [95 % interval], p of Student's paired t test (no correction for many rows)")
    table = new_table(f"against {mine[0]['versus']} by seed{said}; ×: ratio, else difference; "
                      "points: percentage points", f"<{kind}",
                      *(quantities[quantity] for quantity in shown))
    for row in mine:
        table.add_row(name(row), *(_cell(row["paired"][quantity],
                                         100 if quantity == "accuracy" else 1)
                                   for quantity in shown))
    return [table]


def _cell(pair: Mapping[str, Any] | None, scale: float) -> str:
    """A ratio as `×0.45`, a difference with its sign; `–` where a seed has no value."""
    if pair is None:
        return "–"
    found = Paired(**pair)
    if found.of == "ratio":
        return found.text(lambda value: f"×{number(value, 3)}", between="\n")
    return found.text(lambda value: f"{scale * value:+.3g}" if value else "0", between="\n")
