"""A cut for the terminal: candidates by formula and as simulated, and the stages of the best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

from analysis.terminal.fitted.layout import Column
from analysis.terminal.fitted.table import FittedTable, names
from analysis.terminal.fitted.units import (
    BYTES,
    NONE,
    SECONDS,
    aligned,
    bytes_text,
    in_percent,
    unit_for,
)
from sim.rows import Row
from sim.wording import plural

COUNTED = {"throughput": "a micro-batch", "flush": "a mini-batch"}


def partition_tables(found: dict[str, Any]) -> Iterator[FittedTable | str]:
    """An answer for a screen: a line for every candidate, then the stages of the best one."""
    yield _candidates(found)
    yield _stages(found)
    if found["best"] is None:
        runs = any(row["order"] is not None for row in found["candidates"])
        yield (f"nothing that was simulated {'fits the memory limit' if runs else 'runs'}; the "
               "stages are the formula's best")


def _shown(row: Row) -> Row:
    """What is told of a candidate's simulation: its best order, else why the first does not run."""
    return dict(row["simulated"][row["order"] or 0])


def _candidates(found: dict[str, Any]) -> FittedTable:
    rows, limit = found["candidates"], found["memory_limit_bytes"]
    shown, shared = [_shown(row) for row in rows], any(row["ways"] > 1 for row in rows)
    peaks = [max(each["peak_bytes"]) if each.get("peak_bytes") else None for each in shown]
    time = unit_for((value for row, each in zip(rows, shown, strict=True)
                     for value in (row["objective_s"], each.get("seconds"))), SECONDS)
    size = unit_for(peaks, BYTES)
    table = FittedTable(
        f"{found['file']}: {found['layers']} layers on {plural(found['devices'], 'device')}, "
        f"{found['objective']}"
        + (f", {found['microbatches']} micro-batches" if found["microbatches"] > 1 else "")
        + (f", at most {bytes_text(limit)} on each" if limit else ""),
        [names(""), Column("stages", key=True), Column("ways", key=shared), Column("devices"),
         names("order"),
         Column("formula", time.sign, group=1), Column("simulated", time.sign, group=1),
         Column("miss", "%", group=1), Column("bubble", "%"), Column("peak", size.sign),
         Column("fits", left=True)], [*_notes(found)])
    columns = list(zip(
        ["*" if number == found["best"] else "" for number in range(len(rows))],
        [str(len(row["stages"])) for row in rows],
        [str(row["ways"]) if shared else NONE for row in rows],
        [str(row["devices"]) for row in rows],
        [_order(each) for each in shown],
        aligned([time.of(row["objective_s"]) for row in rows], 4),
        aligned([time.of(each.get("seconds")) for each in shown], 4),
        in_percent([_rounded(each.get("miss")) for each in shown]),
        in_percent([each.get("bubble_fraction") for each in shown]),
        aligned([size.of(peak) for peak in peaks]),
        [_fits(each) if limit or each["refused"] else NONE for each in shown], strict=True))
    for number, cells in enumerate(columns):
        fits = shown[number].get("fits", False)
        table.add_row(*cells, style="bold" if number == found["best"] else "" if fits else "dim")
    return table


def _order(each: Row) -> str:
    longer = "" if each["warmup"] is None else f", warmup {each['warmup']}"
    return f"{each['schedule']}{longer}"


def _rounded(share: float | None) -> float | None:
    """A miss without what comes of whole ticks."""
    return None if share is None else round(share, 5) + 0.0


def _fits(each: Row) -> str:
    if each["refused"]:
        return "refused"
    return "yes" if each["fits"] else "no"


def _notes(found: dict[str, Any]) -> Iterator[str]:
    many = found["objective"] == "flush"
    yield (f"formula, simulated: seconds of {COUNTED[found['objective']]}"
           + (", from its first forward to its last update" if many else " in an endless run")
           + "; first is the best by formula, * the quickest as simulated"
           + (" of those that fit." if found["memory_limit_bytes"] else "."))
    if any(len(row["simulated"]) > 1 for row in found["candidates"]):
        yield "Of each cut the order that is quickest (--json has all)."
    if found["left_out"]:
        yield (f"{plural(found['left_out'], 'more cut')} by formula "
               f"{'are' if found['left_out'] > 1 else 'is'} not simulated: --most simulates more.")
    if any(row["ways"] > 1 for row in found["candidates"]):
        yield ("ways: devices that share every stage's layers; bytes are of one of them.")
    reasons: dict[str, list[str]] = {}
    for row in found["candidates"]:
        reason = _shown(row)["refused"]
        if reason:
            reasons.setdefault(reason, []).append(str(len(row["stages"])))
    for reason, where in reasons.items():
        yield f"refused with {', '.join(where)} stage{'s' * (where != ['1'])}: {reason}."


def _stages(found: dict[str, Any]) -> FittedTable:
    row = found["candidates"][found["best"] or 0]
    stages, best = row["stages"], _shown(row)
    time = unit_for((stage["seconds"] for stage in stages), SECONDS)
    peaks = _by_stage(best.get("peak_bytes") or [], [stage["replicas"] for stage in stages])
    size = unit_for(peaks, BYTES)
    table = FittedTable(
        f"{plural(len(stages), 'stage')}, {plural(row['devices'], 'device')}"
        + (f", {row['ways']} of which share each" if row["ways"] > 1 else ""),
        [Column("stage", key=True), names("layers"), Column("from", left=True),
         Column("to", left=True), Column("devices"), Column("formula", time.sign),
         Column("of the slowest", "%"), Column("peak", size.sign)])
    slowest = max(stage["seconds"] for stage in stages)
    for cells in zip(
            map(str, range(len(stages))), [_layers(stage["layers"]) for stage in stages],
            _named(found["names"], [stage["layers"][0] for stage in stages]),
            _named(found["names"], [stage["layers"][1] for stage in stages]),
            [str(row["ways"] * stage["replicas"]) for stage in stages],
            aligned([time.of(stage["seconds"]) for stage in stages], 4),
            in_percent([stage["seconds"] / slowest if slowest else None for stage in stages]),
            aligned([size.of(peak) for peak in peaks]), strict=True):
        table.add_row(*cells)
    return table


def _by_stage(peaks: Sequence[float], replicas: Sequence[int]) -> list[float | None]:
    """The most bytes of any device of each stage, of peaks by device of the simulation."""
    if len(peaks) == len(replicas):
        return list(peaks)
    if len(peaks) != sum(replicas):
        return [None] * len(replicas)
    ends = list(accumulate(replicas))
    return [max(peaks[end - many:end]) for end, many in zip(ends, replicas, strict=True)]


def _layers(ends: Sequence[int]) -> str:
    first, last = ends
    return str(first) if first == last else f"{first}–{last}"


def _named(known: Sequence[str] | None, layers: Sequence[int]) -> list[str]:
    """The names of layers, as short as the first word and its number; none where none is known."""
    if known is None or len(known) <= max(layers):
        return [NONE] * len(layers)
    return [_short(str(known[layer])) for layer in layers]


def _short(name: str) -> str:
    words = name.split("(")[0].split()
    return " ".join(words)[:24] or NONE
