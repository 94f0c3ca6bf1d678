"""Two traces beside each other for the terminal."""

from __future__ import annotations

from typing import Any

from analysis.terminal.fitted.layout import Column
from analysis.terminal.fitted.table import FittedTable, names
from analysis.terminal.fitted.units import NONE, SECONDS, Unit, seconds_text, short, unit_for

PERCENT_OF = {"bubble_fraction": "bubble", "comm_wait_fraction": "waiting for messages",
              "inconsistent_fraction": "inconsistent passes", "accuracy": "validation accuracy"}
PLAIN = {"throughput_minibatches_per_s": "throughput, mini-batches/s", "final_loss": "final loss"}


def difference_table(values: dict[str, Any], first: str, second: str) -> FittedTable:
    """Two traces' metrics side by side, under what differs in their order and versions.

    `first` and `second` are what the traces are called.
    """
    said = f"order {_equal(values['order_equal'])}"
    if values["order_equal"]:
        said += (f", versions {_equal(values['versions_equal'])}, starts at most "
                 f"{seconds_text(values['start_max_difference_s'], 4)} apart")
    table = FittedTable(said, [names("metric"), Column(first), Column(second)])
    for name, pair in values["metrics"].items():
        if pair != [None, None]:
            table.add_row(*_row(name, pair))
    return table


def _equal(equal: bool) -> str:
    return "equal" if equal else "different"


def _row(name: str, pair: list[float | None]) -> list[str]:
    if name.endswith("_s") and name not in PLAIN:
        unit = unit_for(pair, SECONDS)
        return [f"{name.removesuffix('_s')}, {unit.sign}", *_cells(pair, unit)]
    if name in PERCENT_OF:
        return [f"{PERCENT_OF[name]}, %", *_cells(pair, Unit("%", 0.01))]
    return [PLAIN.get(name, name.replace("_", " ")), *_cells(pair, Unit("", 1.0))]


def _cells(pair: list[float | None], unit: Unit) -> list[str]:
    return [NONE if value is None else short(unit.of(value), 6) for value in pair]
