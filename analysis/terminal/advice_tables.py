"""An advice for the terminal: the front, what lies behind it, and what was counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from analysis.advice.planned.arrangement import in_short
from analysis.advice.ranking import name
from analysis.terminal.fitted.layout import Column
from analysis.terminal.fitted.table import FittedTable, names
from analysis.terminal.fitted.units import BYTES, Unit, aligned, bytes_text, in_percent, unit_for
from sim.rows import Row

SAID = {"dominated": "dominated", "over limit": "over the memory limit",
        "inconsistent": "inconsistent", "refused": "refused"}
ENDS = {"candidates": {"run": "run", "beaten": "not, beaten at their bound by what had run",
                       "over_limit": "need more memory", "inconsistent": "inconsistent"},
        "orders": {"orders_beaten": "not, beaten at their bound",
                   "orders_over_limit": "not, for want of memory",
                   "orders_not_reached": "not reached in time (--seconds)"}}
UNITS = {"microbatches": "micro-batches/s"}  # of a throughput, where its key says it differently


def advice_tables(advice: dict[str, Any], everything: bool) -> Iterator[FittedTable | str]:
    """An advice for a screen: the front, a line per point, and the rest, dimmed or counted.

    With `everything` all that ran is shown.
    """
    rows = advice["rows"]
    found = any(row["status"] == "front" for row in rows)
    if not found:
        yield _nothing(advice)
    if found or everything:
        yield _table(advice, everything)
    if "looked_at" in advice:
        yield from _looked_at(advice)
        return
    counts = {status: sum(row["status"] == status for row in rows) for status in SAID}
    besides = ", ".join(f"{n} {SAID[status]}" for status, n in counts.items() if n)
    if besides:
        yield "besides: " + besides + ("" if everything else " (--all shows what ran, --json all)")


def _table(advice: dict[str, Any], everything: bool) -> FittedTable:
    rows = points(advice)
    front = len(rows)
    if everything:
        rows += [row for row in advice["rows"] if row["status"] not in ("front", "refused")]
    limit, rate = advice["memory_limit_bytes"], advice["criteria"]["throughput"]
    unit = unit_for((row["peak_bytes"] for row in rows), BYTES)
    table = FittedTable(
        f"{advice['profile']}: {advice['devices']} devices, at most {bytes_text(limit)} on each",
        _heads(rate.removesuffix("_per_s"), unit, "looked_at" in advice)[not everything:],
        _notes(advice) if front else [])
    laid_out = "looked_at" in advice
    columns = list(zip(
        ["*" if row["status"] == "front" else row["status"] for row in rows],
        [_order(row)[0] for row in rows], *(
            [[row["laid_out"] for row in rows]] if laid_out else []),
        [row["mitigation"] for row in rows], [row["backward"] for row in rows],
        aligned([row[rate] for row in rows], 4, 3),
        aligned([unit.of(row["peak_bytes"]) for row in rows]),
        aligned([row["staleness_mean"] for row in rows]),
        aligned([row["staleness_max"] for row in rows]),
        in_percent([row["inconsistent_fraction"] for row in rows]),
        in_percent([row["bubble_fraction"] for row in rows]), strict=True))
    for number, cells in enumerate(columns):
        if 0 < number == front:
            table.add_section()
        table.add_row(*cells[not everything:], style="dim" if number >= front else "")
    return table


def _heads(per: str, unit: Unit, laid_out: bool) -> list[Column]:
    return [Column("", left=True), names("order"), *[names("laid out")] * laid_out,
            names("miti\u00adgation"), names("backward"),
            Column(UNITS.get(per, f"{per}/s")), Column("peak", unit.sign), Column("late mean"),
            Column("late max"), Column("incon\u00adsistent", "%"), Column("bubble", "%")]


def _notes(advice: dict[str, Any]) -> list[str]:
    return [*_the_same(advice), *(_laid_out(advice) if "looked_at" in advice else ()),
            "late: effective updates behind, over stages and passes.  Larger mini-batches are less "
            "late by count; what they cost in epochs is not seen here: compare at one "
            "--batch-size.",
            f"peak: of the fullest device; weights, {advice['state_copies']:g} more of their size "
            "(gradient, velocity), stash, copies, activations and workspace (--json says exactly)."]


def _laid_out(advice: dict[str, Any]) -> Iterator[str]:
    """What the names of cuts mean, and the layers of the stages of those that are shown."""
    shown = {row["laid_out"]: row["layers"] for row in points(advice)}
    yield ("laid out: devices of a pipeline x pipelines x tensor ways; v2: two stages a device; "
           "r2_1: stages with 2 devices and 1; cut2: another cut.")
    cuts: dict[str, list[str]] = defaultdict(list)
    for laid_out, layers in shown.items():
        cuts[in_short(layers)].append(laid_out)
    yield f"layers of the stages, of {advice['layers']}: " + "; ".join(
        f"{layers} ({', '.join(where)})" for layers, where in cuts.items()) + "."


def _looked_at(advice: dict[str, Any]) -> Iterator[str]:
    """How many candidates there were, what became of them, and what was left out."""
    counts = advice["looked_at"]
    said = {name: ", ".join(f"{counts[key]} {what}" for key, what in ends.items() if counts[key])
            for name, ends in ENDS.items()}
    made = counts["orders"] - sum(counts[key] for key in ENDS["orders"])
    yield (f"{counts['orders']} orders on cuts: {made} made"
           + f"; {said['orders']}" * bool(said["orders"]) + ".")
    yield f"{counts['candidates']} candidates of these: {said['candidates']}."
    if advice["refusals"]:
        why = ", ".join(f"{each['name']} ({each['count']})" for each in advice["refusals"])
        yield f"more cannot run (--json has the reasons): {why}."
    yield "left out: " + "; ".join(f"{each['what']} ({each['why']})"
                                   for each in advice["left_out"]) + "."


def _the_same(advice: dict[str, Any]) -> Iterator[str]:
    """What costs as much as the points that are shown: mitigations, then other orders."""
    orders: dict[tuple[str, ...], list[str]] = defaultdict(list)
    beside = []
    for row in points(advice):
        mine, others = _alike(advice, row)
        if mine:
            orders[row["mitigation"], *mine].append(" ".join(_order(row)))
        if others:
            beside.append(f"{_listed(others)} as {' '.join(_order(row))}")
    for (shown, *same), where in orders.items():
        yield f"the same as {shown} on {_listed(where)}: {_listed(same)}."
    if beside:
        yield f"the same: {'; '.join(beside)}."


def _listed(several: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(several[:-1]), several[-1])))


def points(advice: dict[str, Any]) -> list[Row]:
    """The front's rows without those that cost as much as an earlier one."""
    return [row for row in advice["rows"] if row["status"] == "front" and row["same_as"] is None]


def like(advice: dict[str, Any], row: Row) -> list[str]:
    """What costs as much as a point: mitigations of its order, then other orders by name."""
    mine, others = _alike(advice, row)
    return mine + others


def _alike(advice: dict[str, Any], row: Row) -> tuple[list[str], list[str]]:
    twins = [other for other in advice["rows"] if other.get("same_as") == name(row)]
    mine = [other["mitigation"] for other in twins if _order(other) == _order(row)]
    return mine, list(dict.fromkeys(" ".join(_order(other)) for other in twins
                                    if _order(other) != _order(row)))


def _order(row: Row) -> tuple[str, ...]:
    """`1f1b/4`, how a cut is laid out, and its backward."""
    own = f"{row['schedule']}/{row['microbatches']}"
    return (own, *([row["laid_out"]] if "laid_out" in row else []), row["backward"])


def _nothing(advice: dict[str, Any]) -> str:
    """Why the front is empty, and what would fill it."""
    ran = [row for row in advice["rows"] if row["status"] != "refused"]
    needs = advice.get("least_peak_bytes")
    if not ran and needs is None:
        return "nothing runs: every candidate is refused (--json has the reasons)"
    which = ""
    if needs is None:
        least = min(ran, key=lambda row: row["peak_bytes"])
        needs, which = least["peak_bytes"], f" ({name(least)})"
    return (f"nothing fits: the least any candidate needs is {bytes_text(needs)} on "
            f"a device{which}, the limit is {bytes_text(advice['memory_limit_bytes'])}"
            + (", and --consistent rules out others" if advice["consistent"] else ""))
