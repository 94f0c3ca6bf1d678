"""An advice for the terminal: the front, what lies behind it, and what was counted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from analysis.advice.advise import name
from sim.commands.door import number
from sim.rows import Row

HEADS = ("peak GB\na device", "late\nmean", "late\nmax", "incon-\nsistent", "bubble")
SAID = {"dominated": "dominated", "over limit": "over the memory limit",
        "inconsistent": "inconsistent", "refused": "refused"}


def advice_tables(advice: dict[str, Any], everything: bool) -> Iterator[Table | str]:
    """An advice for a screen: the front, a line per point, and the rest, dimmed or counted.

    With `everything` all that ran is shown.
    """
    rows = advice["rows"]
    found = any(row["status"] == "front" for row in rows)
    if not found:
        yield _nothing(advice)
    if found or everything:
        yield _table(advice, everything)
    counts = {status: sum(row["status"] == status for row in rows) for status in SAID}
    besides = ", ".join(f"{n} {SAID[status]}" for status, n in counts.items() if n)
    if besides:
        yield "besides: " + besides + ("" if everything else " (--all shows what ran, --json all)")
    if not found:
        return
    yield ("late: effective updates behind, over stages and passes. Larger mini-batches are less "
           "late by count;\nwhat they cost in epochs is not seen here: compare at one --batch-size."
           f" Memory counts weights, {advice['state_copies']:g} more\nof their size (gradient, "
           "velocity), stash, copies, activations and workspace (--json says exactly).")


def _table(advice: dict[str, Any], everything: bool) -> Table:
    unit = advice["criteria"]["throughput"].removesuffix("_per_s")
    table = Table(title=escape(f"{advice['profile']}: {advice['devices']} devices, at most "
                               f"{_giga(advice['memory_limit_bytes'])} GB on each"),
                  title_justify="left", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("", no_wrap=True)
    table.add_column("schedule", no_wrap=True)
    table.add_column("mitigation")
    table.add_column("backward", no_wrap=True)
    for head in (f"{'micro-batches' if unit == 'microbatches' else unit}\n/s", *HEADS):
        table.add_column(head, justify="right")
    for row in points(advice):
        _add(table, advice, row)
    if everything:
        table.add_section()
        for row in advice["rows"]:
            if row["status"] not in ("front", "refused"):
                _add(table, advice, row, "dim")
    return table


def points(advice: dict[str, Any]) -> list[Row]:
    """The front's rows without those that cost as much as an earlier one."""
    return [row for row in advice["rows"] if row["status"] == "front" and row["same_as"] is None]


def like(advice: dict[str, Any], row: Row) -> list[str]:
    """What costs as much as a point: mitigations of its order, then other orders by name."""
    twins = [other for other in advice["rows"] if other.get("same_as") == name(row)]
    mine = [other["mitigation"] for other in twins if _order(other) == _order(row)]
    return mine + list(dict.fromkeys(f"{order} {backward}" for order, backward in map(_order, twins)
                                     if (order, backward) != _order(row)))


def _order(row: Row) -> tuple[str, str]:
    """`1f1b/4` and its backward."""
    return f"{row['schedule']}/{row['microbatches']}", row["backward"]


def _add(table: Table, advice: dict[str, Any], row: Row, style: str = "") -> None:
    front = row["status"] == "front"
    also = like(advice, row) if front else []
    mitigation = row["mitigation"] + (f" (or {', '.join(also)})" if also else "")
    order, backward = _order(row)
    table.add_row("*" if front else row["status"], order, mitigation, backward,
                  number(row[advice["criteria"]["throughput"]]), _giga(row["peak_bytes"]),
                  *(number(row[key], 2) for key in ("staleness_mean", "staleness_max",
                                                    "inconsistent_fraction", "bubble_fraction")),
                  style=style)


def _giga(size: float) -> str:
    return f"{size / 1e9:.4g}"


def _nothing(advice: dict[str, Any]) -> str:
    """Why the front is empty, and what would fill it."""
    ran = [row for row in advice["rows"] if row["status"] != "refused"]
    if not ran:
        return "nothing runs: every candidate is refused (--json has the reasons)"
    least = min(ran, key=lambda row: row["peak_bytes"])
    return (f"nothing fits: the least any candidate needs is {_giga(least['peak_bytes'])} GB on a "
            f"device ({name(least)}), the limit is {_giga(advice['memory_limit_bytes'])} GB"
            + (", and --consistent rules out others" if advice["consistent"] else ""))
