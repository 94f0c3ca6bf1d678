"""Two traces beside each other for the terminal."""

from __future__ import annotations

from collections.abc import Iterator
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
        apart = values["start_max_difference_s"]
        said += (f", versions {_equal(values['versions_equal'])}, starts "
                 + (f"at most {seconds_text(apart, 4)} apart" if apart else "equal"))
    table = FittedTable(said, [names("metric"), Column(first), Column(second)],
                        [*_first_place(values, first, second)])
    for name, pair in values["metrics"].items():
        if pair != [None, None]:
            table.add_row(*_row(name, pair))
    return table


def _first_place(values: dict[str, Any], first: str, second: str) -> Iterator[str]:
    """Where the traces differ first, and what each has there; what counted as equal."""
    found, apart = values["first_difference"], values["tolerance_s"]
    within = f" by more than {seconds_text(apart)}" if apart else ""
    if found is None:
        if apart:
            yield f"no times differ{within}"
        return
    within = within if found["of"] == "times" else ""
    yield (f"first different {found['of']}{within}: device {found['device']}, instruction "
           f"{found['number']} of its stream (from 0): {first} has {_there(found['first'])}, "
           f"{second} {_there(found['second'])}")


def _there(what: dict[str, Any]) -> str:
    """`F of mini-batch 4 on stage 1 reading v3`, or that there is nothing more."""
    if not what:
        return "no more"
    micro = "" if what["microbatch"] is None else f", micro-batch {what['microbatch']}"
    text = f"{what['op']} of mini-batch {what['minibatch']}{micro} on stage {what['stage']}"
    if "version_read" in what:
        return f"{text} reading v{what['version_read']}"
    if "start_s" in what:
        return f"{text} from {seconds_text(what['start_s'])} to {seconds_text(what['end_s'])}"
    return text


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
