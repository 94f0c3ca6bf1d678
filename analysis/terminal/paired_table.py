"""The table of paired differences: every row of a comparison against the first, seed by seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from analysis.terminal.fitted.layout import Column
from analysis.terminal.fitted.table import FittedTable, names
from analysis.terminal.fitted.units import NONE, short
from sim.spread import Paired

Row = Mapping[str, Any]


def paired_tables(rows: Sequence[Row], kind: str, name: Callable[[Row], str]) -> list[FittedTable]:
    """A row for each that has been compared with the first; no table of one seed, or one row.

    `kind` is what the rows are, `name` what each is called.
    """
    mine = [row for row in rows if row["paired"] and len(row["seeds"]) > 1]
    if not mine:
        return []
    quantities = {"throughput_minibatches_per_s": "mini-batches/s",
                  "final_loss": "final loss", "accuracy": "validation accuracy, points",
                  "seconds_to_target": "seconds to the target"}
    shown = [quantity for quantity in quantities if quantity in mine[0]["paired"]]
    said = ("" if len(mine[0]["seeds"]) < 4 else
            ", mean [95 % interval], p of Student's paired t test (no correction for many rows)")
    table = FittedTable(
        f"against {mine[0]['versus']}, seed by seed{said}",
        [names(kind), *(Column(quantities[quantity]) for quantity in shown)],
        ["×: ratio, else difference; points: percentage points"])
    for row in mine:
        table.add_row(name(row), *(_cell(row["paired"][quantity],
                                         100 if quantity == "accuracy" else 1)
                                   for quantity in shown))
    return [table]


def _cell(pair: Mapping[str, Any] | None, scale: float) -> str:
    """A ratio as `×0.45`, a difference with its sign; `–` where a seed has no value."""
    if pair is None:
        return NONE
    found = Paired(**pair)
    if found.of == "ratio":
        return found.text(lambda value: f"×{short(value, 3)}", between="\n")
    return found.text(lambda value: f"{scale * value:+.3g}" if value else "0", between="\n")
