"""A run's report for the terminal: the whole, by stage and device, and how late passes were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import RenderableType

from analysis.terminal.fitted.layout import Column
from analysis.terminal.fitted.table import Facts, FittedTable, names
from analysis.terminal.fitted.units import (
    BYTES,
    NONE,
    PERCENT,
    aligned,
    bytes_text,
    in_percent,
    percent_text,
    seconds_text,
    short,
    unit_for,
)
from sim.wording import plural

ON_ALL = "on every device"
MOST_LINES = 40  # of stages or devices; of more the first and the last are shown
Shown = list[tuple[Column, list[str]]]  # columns with their cells
HELD = {"weights": "weight_bytes", "stash": "peak_stash_bytes", "copies": "peak_copy_bytes",
        "activa\u00adtions": "peak_activation_bytes", "at once": "peak_bytes"}


def report_tables(values: dict[str, Any]) -> list[RenderableType]:
    """A run's report for a screen: the whole, by stage, and by device where these are not the
    stages."""
    return [_whole(values), _by_stage(values), *_by_device(values)]


def _whole(values: dict[str, Any]) -> Facts:
    said = [values["schedule"], values["mitigation"], plural(values["stages"], "stage"),
            f"{values['minibatches']} mini-batches"]
    if values["microbatches"] > 1:
        said.append(f"{values['microbatches']} micro-batches in each")
    return Facts(" · ".join([*said, f"seed {values['seed']}"]), [
        ("makespan", seconds_text(values["makespan_s"])),
        ("bubble", f"{percent_text(values['bubble_fraction'])} of the devices' time; waiting for "
                   f"messages: {percent_text(values['comm_wait_fraction'])}"),
        ("span idle", _span_idle(values)),
        ("throughput", f"{short(values['throughput_minibatches_per_s'], 4)} mini-batches/s; "
                       + _steady_rate(values)),
        ("steady state", _steady(values)),
        ("inconsistent", f"{percent_text(values['inconsistent_fraction'])} of passes read other "
                         "weights in backward than in forward"),
        ("across stages", _across(values["vertical_inconsistent_fraction"])),
        ("memory", _fullest(values["memory"]["peak_device_bytes"])),
        ("training", _training(values)),
        *_workers(values["workers"]),
        *_tensor(values["tensor"]),
    ])


def _across(differ: float | None) -> str:
    """How many micro-batches read different versions on their way."""
    if differ is None:
        return "versions are not compared: replicas of a stage count updates of their own"
    return f"{percent_text(differ)} of micro-batches read different versions on different stages"


def _span_idle(values: dict[str, Any]) -> str:
    """How much of their own spans devices were idle, and the most that one was."""
    idle, share = values["span_idle_s"], values["span_idle_fraction"]
    if not any(idle):
        return "none: from its first instruction to its last no device waits"
    most, where = _most(idle)
    return (f"{percent_text(share)} of the time from devices' first instructions to their last; at "
            f"most {seconds_text(most)}, {where}")


def _steady_rate(values: dict[str, Any]) -> str:
    rate = values["steady_throughput_minibatches_per_s"]
    return "no steady rate" if rate is None else f"{short(rate, 4)} in the steady state"


def _steady(values: dict[str, Any]) -> str:
    """Which mini-batches are steady, and why there is no steady rate where there is none."""
    steady, reason = values["steady_minibatches"], values["steady_throughput_reason"]
    said = ("none: means are of the whole run" if steady is None else
            f"mini-batches {steady[0]} to {steady[1]} of {values['minibatches']}")
    return f"{said}; {reason}" if reason else said


def _fullest(peaks: Sequence[float]) -> str:
    """The most that any device holds, and which does."""
    if not max(peaks):
        return "not known: nothing says how large weights and activations are"
    top, where = _most(peaks)
    return f"at most {bytes_text(top)}{'' if where == ON_ALL else ','} {where}"


def _most(values: Sequence[float]) -> tuple[float, str]:
    """The largest of devices' values, and on which it is."""
    top = max(values)
    where = [str(device) for device, value in enumerate(values) if value == top]
    if len(where) == len(values) > 1:
        return top, ON_ALL
    named = ", ".join(where[:4]) + (f" and {len(where) - 4} more" if len(where) > 4 else "")
    return top, f"on device{'s' * (len(where) > 1)} {named}"


def _training(values: dict[str, Any]) -> str:
    if values["diverged"] is None:
        return "none"
    if values["diverged"]:
        return f"diverged at mini-batch {values['diverged_at']}"
    text = f"final loss {short(values['final_loss'], 4)}"
    if values["accuracy"] is not None:
        text += f", validation accuracy {100 * values['accuracy']:.2f} %"
    return text


def _workers(between: dict[str, Any] | None) -> list[tuple[str, str]]:
    if not between:
        return []
    return [("workers", f"{between['count']}, {between['combine']}, ahead of what they have seen "
             f"of each other by {short(between['behind_mean'], 4)} mini-batches of their own, at "
             f"most {between['behind_max']}")]


def _tensor(shared: dict[str, Any] | None) -> list[tuple[str, str]]:
    if not shared:
        return []
    ways = shared["ways"]
    each = (f"{ways[0]} devices share every stage" if len(set(ways)) == 1 else
            f"stages are shared by {', '.join(map(str, ways))} devices")
    return [("tensor", f"{each}, {shared['devices']} in all; what is told of a device is of one "
             "of them")]


def _by_stage(values: dict[str, Any]) -> FittedTable:
    late, far = values["staleness"], values["weight_distance"]
    shown: Shown = [(Column("staleness forward"), aligned(late["forward"])),
                    (Column("staleness backward"), aligned(late["backward"]))]
    if late["effective_backward"] != late["backward"]:
        shown.append((Column("effective backward"), aligned(late["effective_backward"])))
    if late.get("slowed_fraction"):
        shown.append((Column("updates slowed", "%"), in_percent(late["slowed_fraction"])))
    shown += [(Column("distance forward", "%"), in_percent(far["forward"])),
              (Column("distance backward", "%"), in_percent(far["backward"])),
              (Column("versions held"), [str(count) for count in values["versions_held"]])]
    if _own_devices(values):
        shown.append((Column("busy", "%"), in_percent(values["utilisation"])))
    held, note = _held(values["memory"])
    shown += held
    table = FittedTable("by stage", [Column("stage", key=True), *(column for column, _ in shown)], [
        "staleness: updates the weights were behind, mean over the steady state; distance of the "
        f"weights used from fresh ones, mean over the run{note}"
        + ("; of a stage on several devices the most of any"
           if any(len(at) > 1 for at in values["homes"]) else "")])
    _fill(table, list(map(str, range(values["stages"]))), [cells for _, cells in shown])
    return table


def _held(memory: dict[str, Any]) -> tuple[Shown, str]:
    """What stages hold, by kind, and what to say of it; nothing where no sizes are known."""
    if not max(memory["peak_bytes"]):
        return [], ""
    unit = unit_for((size for key in HELD.values() for size in memory[key]), BYTES)
    return [(Column(head, unit.sign, group=1), aligned([unit.of(size) for size in memory[key]]))
            for head, key in HELD.items()], (
        f"; {unit.sign}: peaks, at once: all kinds together at their worst moment")


def _own_devices(values: dict[str, Any]) -> bool:
    """Whether every stage has a device of its own, and its number."""
    return bool(values["devices"] == values["stages"]
                and values["homes"] == [[k] for k in range(values["stages"])])


def _by_device(values: dict[str, Any]) -> list[FittedTable]:
    """How busy devices are and what they hold, where they are not the stages; and which stages
    they have, where that is not plain.

    Bytes are those of the first worker, which is as large as the others.
    """
    if _own_devices(values):
        return []
    busy, peaks = values["utilisation"], values["memory"]["peak_device_bytes"]
    unit = unit_for(peaks, BYTES)
    held = [peaks[device % len(peaks)] for device in range(len(busy))]
    shown: Shown = [(Column("busy", "%"), in_percent(busy)),
                    (Column("at once", unit.sign), aligned([unit.of(size) for size in held])
                     if max(peaks) else [NONE] * len(busy))]
    if any(at != [k % len(peaks)] for k, at in enumerate(values["homes"])):
        shown.insert(0, (names("stages"), [_stages_on(values, device % len(peaks))
                                           for device in range(len(busy))]))
    table = FittedTable("by device", [Column("device", key=True), *(each for each, _ in shown)])
    _fill(table, list(map(str, range(len(busy)))), [cells for _, cells in shown])
    return [table]


def _stages_on(values: dict[str, Any], device: int) -> str:
    return ", ".join(str(k) for k, at in enumerate(values["homes"]) if device in at) or NONE


def _fill(table: FittedTable, numbers: Sequence[str], columns: Sequence[Sequence[str]]) -> None:
    """A row for each number, or the first and the last where there are too many."""
    rows = list(zip(numbers, *columns, strict=True))
    left = len(rows) - MOST_LINES
    for row in rows if left <= 0 else rows[: MOST_LINES // 2]:
        table.add_row(*row)
    if left > 0:
        table.add_section()
        for row in rows[-MOST_LINES // 2 :]:
            table.add_row(*row)
        table.notes = [*table.notes, f"{left} in the middle are left out (--json has all)"]


def distribution_table(values: dict[str, Any]) -> list[FittedTable]:
    """How often each staleness occurred, where a stage saw more than one; else no table.

    A column for each staleness in updates, a row for each stage and kind of pass.
    """
    found = values["staleness"]["distribution"]
    if not any(len(stage) > 1 for stages in found.values() for stage in stages):
        return []
    seen = sorted({float(value) for stages in found.values() for stage in stages
                   for value in stage})
    table = FittedTable("staleness distribution (% of steady passes, by staleness in updates)",
                        [Column("stage", key=True), names("pass"),
                         *(Column(f"{value:g}") for value in seen)])
    for kind, stages in found.items():
        for k, counts in enumerate(stages):
            whole = sum(counts.values()) or 1
            shares = [counts.get(f"{value:g}", 0) / whole for value in seen]
            table.add_row(str(k), kind, *(f"{share / PERCENT.size:.1f}" if share else "·"
                                          for share in shares))
    return [table]
