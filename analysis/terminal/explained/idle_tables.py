"""Why devices stood idle, for a screen: a line for each of the largest stretches."""

from __future__ import annotations

from typing import Any

from analysis.terminal.fitted.layout import Column
from analysis.terminal.fitted.table import FittedTable, names
from analysis.terminal.fitted.units import SECONDS, aligned, seconds_text, short, unit_for

MOST_LINES = 12
MOST_NAMED = 4  # passes of a chain at either end of it


def idle_tables(values: dict[str, Any]) -> list[FittedTable]:
    """What the largest idle stretches of a run waited for, from what `analysis.metrics.explained`
    says of it; no table where no device was ever idle."""
    rows = values["stretches"][:MOST_LINES]
    if not rows:
        return []
    unit = unit_for((each["seconds"] for each in rows), SECONDS)
    long = [each["to_s"] - each["from_s"] for each in rows]
    table = FittedTable("idle: what devices waited for", [
        Column("device", key=True), names("before"), Column("in all", unit.sign),
        Column("times"), Column("longest", unit.sign), Column("from", unit.sign),
        Column("why the longest", left=True, words=True)], [
        "before: what began at its end, of the longest; in all: of such stretches on the device "
        "together; the most idle seconds first"])
    columns = zip(rows, aligned([unit.of(each["seconds"]) for each in rows]),
                  aligned([unit.of(seconds) for seconds in long]),
                  aligned([unit.of(each["from_s"]) for each in rows], 4), strict=True)
    for each, whole, longest, begin in columns:
        table.add_row(str(each["device"]), each["instruction"] or "end", whole, str(each["times"]),
                      longest, begin, _why(each))
    return [table]


def _why(each: dict[str, Any]) -> str:
    """What a stretch waited for, and why that was late, in words."""
    if each["kind"] == "done":
        return "nothing left to do"
    whom = f"{each['waited_for']} of device {each['of_device']}"
    if each["kind"] == "other":
        return f"nothing another device sends{_shares(each)}"
    if each["kind"] == "exchange":
        return f"what workers or copies exchange after {whom}{_shares(each)}"
    return f"{whom}{_shares(each)}"


def _shares(each: dict[str, Any]) -> str:
    """What ran and what was under way meanwhile."""
    ran = each["meanwhile"]
    parts = []
    if ran["passes_s"]:
        parts.append(f"{seconds_text(ran['passes_s'], 3)} {_chain(ran)}")
    if ran["message_s"]:
        queued = (f", {seconds_text(ran['queued_s'], 3)} of it behind others on the link"
                  if ran["queued_s"] else "")
        parts.append(f"{seconds_text(ran['message_s'], 3)} of messages{queued}")
    if ran["exchange_s"]:
        parts.append(f"{seconds_text(ran['exchange_s'], 3)} of exchange")
    if ran["other_s"] > 1e-6 * (each["to_s"] - each["from_s"]):
        parts.append(f"{seconds_text(ran['other_s'], 3)} in which nothing of it ran")
    return f": {'; '.join(parts)}" if parts else ""


def _chain(ran: dict[str, Any]) -> str:
    """The passes that ran one after another, the middle of many left out."""
    texts = [each["instruction"] for each in ran["passes"]]
    left = len(texts) + ran["earlier_passes"] - 2 * MOST_NAMED
    if left > 0:
        texts = ([] if ran["earlier_passes"] else texts[:MOST_NAMED]) + [
            f"… {short(left + (MOST_NAMED if ran['earlier_passes'] else 0), 6)} more"
        ] + texts[-MOST_NAMED:]
    return f"of {', '.join(texts)}"
