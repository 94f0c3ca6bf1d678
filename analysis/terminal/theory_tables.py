"""Tables for the terminal of what theory says: stability edges and steady states."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from analysis.terminal.fitted.layout import Column
from analysis.terminal.fitted.table import Facts, FittedTable, names
from analysis.terminal.fitted.units import (
    NONE,
    SECONDS,
    aligned,
    by_stage,
    in_percent,
    percent_text,
    seconds_text,
    short,
    unit_for,
)
from sim.wording import plural

LEAST_PERCENT = 0.005  # smaller differences are of the arithmetic alone: 0.00


def stability_table(rows: Sequence[dict[str, Any]]) -> FittedTable:
    """Stability edges for a screen: by roots, as measured, and how far apart the two are."""
    measured = any(row["edge_measured"] is None for row in rows)
    looks = [row["horizon"] if row["horizon"] else None for row in rows]
    notes = [] if not any(looks) else ["horizon: updates a prediction looks ahead, "
                                       f"{NONE}: it does not"]
    table = FittedTable(
        "largest stable ηλ on the quadratic",
        [names("mitigation"), Column("con\u00advention", left=True, key=True, once=True),
         Column("backward", left=True, once=True), Column("momen\u00adtum"), Column("delay"),
         Column("horizon"), Column("by roots"), Column("measured"), Column("apart", "%")],
        notes + [f"{NONE}: not measured"] * measured)
    for cells in zip(*([row[key] for row in rows] for key in (
            "mitigation", "convention", "backward")),
            aligned([row["momentum"] for row in rows], 4), [str(row["delay"]) for row in rows],
            aligned(looks), *([short(row[key], 5) for row in rows]
                              for key in ("edge_roots", "edge_measured")),
            [_apart(row["relative_difference"]) for row in rows], strict=True):
        table.add_row(*cells)
    return table


def _apart(difference: float | None) -> str:
    """A relative difference in percent, without the sign of a rounded zero."""
    if difference is None:
        return NONE
    percent = 100 * difference
    return f"{percent if abs(percent) >= LEAST_PERCENT else 0.0:.2f}"


def steady_tables(found: dict[str, Any], shown: int = 12) -> list[RenderableType]:
    """A steady state for a screen: its numbers, what to speed up, the critical cycle in one line.

    At most `shown` lines of the second and steps of the third.
    """
    late = found["staleness"]
    head = Facts(f"{found['schedule']} · {found['mitigation']} · for ever", [
        ("period", f"{seconds_text(found['period_s'])} a mini-batch"),
        ("throughput", f"{short(found['throughput_minibatches_per_s'], 4)} mini-batches/s"),
        ("bubble", f"{percent_text(found['bubble_fraction'])} of the devices' time"),
        ("staleness", f"forward {by_stage(late['forward'])}; backward "
                      f"{by_stage(late['backward'])} (updates, by stage)"),
    ])
    groups = list(_alike(found))
    unit = unit_for((group["seconds"] / group["count"] for group in groups), SECONDS)
    table = FittedTable("what to speed up", [
        names("critical"), Column("how many"), Column("each takes", unit.sign),
        Column("share of the cycle", "%")])
    seconds = aligned([unit.of(group["seconds"] / group["count"]) for group in groups], 4)
    shares = in_percent([group["share"] for group in groups])
    for group, each, share in list(zip(groups, seconds, shares, strict=True))[:shown]:
        table.add_row(group["what"], str(group["count"]), each, share)
    left = len(groups) - shown
    if left > 0:
        table.notes = [f"and {left} more (--json has all)"]
    return [head, *([table] if groups else []), _cycle(found, shown)]


def _alike(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What is critical, put together where it is of one kind and takes equally long, dearest
    first."""
    passes: dict[str, dict[str, Any]] = {}
    for each in found["critical_cycle"]:
        known = passes.setdefault(each["name"], {**each, "seconds": 0.0, "count": 0})
        known["seconds"] += each["seconds"]
        known["count"] += 1
    whole = sum(each["seconds"] for each in passes.values()) or 1.0
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for each in passes.values():
        if each["seconds"]:
            key = (each["kind"], each["op"], each["forward_stage"] is None,
                   round(each["seconds"] / whole, 9), each["count"])
            groups.setdefault(key, []).append(each)
    for mine in sorted(groups.values(), key=lambda mine: -sum(each["seconds"] for each in mine)):
        seconds = sum(each["seconds"] for each in mine)
        yield {"what": _called(mine), "seconds": seconds, "share": seconds / whole,
               "count": sum(each["count"] for each in mine)}


def _called(mine: Sequence[dict[str, Any]]) -> str:
    """`F of stage 1`, `B of stages 0 to 7`, `pairs with B of stage 3`, `links after F of stages 0
    to 6`, `exchange after B of stage 0`; a lone link."""
    if len(mine) == 1 and mine[0]["kind"] == "link":
        return str(mine[0]["name"])
    stages = sorted({each["stage"] for each in mine})
    if len(stages) == 1:
        where = f"stage {stages[0]}"
    elif stages == list(range(stages[0], stages[-1] + 1)):
        where = f"stages {stages[0]} to {stages[-1]}"
    else:
        where = f"stages {', '.join(map(str, stages))}"
    before = {"link": "links after ", "exchange": "exchange after ",
              "instruction": "" if mine[0]["forward_stage"] is None else "pairs with "}
    return f"{before[mine[0]['kind']]}{mine[0]['op']} of {where}"


def _cycle(found: dict[str, Any], shown: int) -> Text:
    """`1F i → 1B i → 1F i+1 …`: each with its mini-batch, i being the earliest, and micro-batch."""
    steps = [each["name"] + " i" + (f"+{each['minibatch']}" if each["minibatch"] else "")
             + (f".{each['microbatch']}" if each["microbatch"] is not None else "")
             for each in found["critical_cycle"]]
    text = " → ".join(steps[:shown])
    if len(steps) > shown:
        text += f" → and so on, {len(steps)} steps in all (--json)"
    return Text(f"critical cycle over {plural(found['critical_minibatches'], 'mini-batch')}: "
                f"{text}".replace("mini-batchs", "mini-batches"))
