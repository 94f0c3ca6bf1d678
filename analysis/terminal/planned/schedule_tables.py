"""A found order for the terminal: its numbers beside the bound, the named ones, the order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import RenderableType

from analysis.terminal.fitted.layout import Column
from analysis.terminal.fitted.table import Facts, FittedTable, names
from analysis.terminal.fitted.units import (
    BYTES,
    SECONDS,
    aligned,
    by_stage,
    bytes_text,
    percent_text,
    seconds_text,
    unit_for,
)
from sim.wording import plural

NAMED = 8  # of the named orders, the best


def schedule_tables(found: dict[str, Any]) -> Iterator[RenderableType]:
    """An answer for a screen: the order's numbers, then the named orders that keep the limits, by
    how much longer they take, then what each device does where that is short."""
    yield _facts(found)
    if found["named"]:
        yield _named(found)
    yield _devices(found)


def _taken(found: dict[str, Any]) -> float:
    return float(found["makespan_s"] if "makespan_s" in found else found["period_s"])


def _facts(found: dict[str, Any]) -> Facts:
    seconds, bound, late = _taken(found), found["lower_bound_s"], found["staleness"]
    endless = "period_s" in found
    micro = found["microbatches"]
    how = "shortest there is" if found["proved"] else (
        f"at most {percent_text(seconds / bound - 1 if bound else None)} above the shortest")
    limit = found["memory_limit_bytes"]
    facts = [("period" if endless else "makespan",
              f"{seconds_text(seconds)} a mini-batch of "
              + ("one micro-batch" if micro == 1 else f"{micro} micro-batches")),
             ("lower bound", f"{seconds_text(bound)}: {how}"),
             ("bubble", f"{percent_text(found['bubble_fraction'])} of the devices' time")]
    if endless:
        facts.append(("staleness", f"forward {by_stage(late['forward'])}; backward "
                                   f"{by_stage(late['backward'])} (updates, by stage)"))
    facts += [("memory", f"{bytes_text(max(found['needed_device_bytes']))} on the fullest device"
               + (f", of {bytes_text(limit)}" if limit else "")),
              ("searched", f"{plural(found['searched'], 'order')}, from {found['start']}")]
    kind = (f"at most {plural(found['max_staleness'], 'update')} behind" if endless else "flushed")
    return Facts(f"{found['profile']} · {plural(found['stages'], 'stage')} on "
                 f"{plural(found['devices'], 'device')} · {kind}", facts)


def _named(found: dict[str, Any]) -> FittedTable:
    best = sorted(found["named"].items(), key=lambda item: item[1])
    shown, taken = best[:NAMED], _taken(found)
    time = unit_for([taken, *(seconds for _, seconds in shown)], SECONDS)
    table = FittedTable("named orders that keep the limits", [
        names("order"), Column("takes", time.sign), Column("longer by", "%")])
    seconds = aligned([time.of(each) for each in (taken, *(each for _, each in shown))], 5)
    longer = [each / taken - 1 if taken else None for _, each in shown]
    table.add_row("found", seconds[0], "", style="bold")
    for (name, _), each, more in zip(shown, seconds[1:], longer, strict=True):
        table.add_row(name, each, percent_text(more).removesuffix(" %"))
    if len(best) > NAMED:
        table.notes = [f"and {len(best) - NAMED} that take longer (--json has all)"]
    return table


def _devices(found: dict[str, Any]) -> FittedTable:
    """Bytes of each device, and the stages on it."""
    size = unit_for(found["needed_device_bytes"], BYTES)
    table = FittedTable("devices", [
        Column("device", key=True), Column("stages", left=True), Column("peak", size.sign),
        Column("with state and workspace", size.sign)])
    peaks, needed = (aligned([size.of(each) for each in found[key]], 4)
                     for key in ("peak_device_bytes", "needed_device_bytes"))
    for device, cells in enumerate(zip(peaks, needed, strict=True)):
        stages = [str(stage) for stage, home in enumerate(found["placement"]) if home == device]
        table.add_row(str(device), ", ".join(stages), cells[0],
                      cells[1] if needed != peaks else "")
    return table
