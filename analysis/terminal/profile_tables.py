"""A measured profile for the terminal: times, slow-downs, bytes, then the link."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.text import Text

from analysis.terminal.fitted.layout import Column
from analysis.terminal.fitted.table import FittedTable, names
from analysis.terminal.fitted.units import (
    BYTES,
    NONE,
    SECONDS,
    aligned,
    bytes_text,
    seconds_text,
    unit_for,
)
from sim.times.profile import Profile, StageProfile

OPS = {"F": "forward_s", "B": "backward_s", "I": "input_backward_s", "W": "weight_backward_s",
       "U": "update_s"}
HELD = {"weights": "weight_bytes", "always": "resident_bytes",
        "activa\u00adtions": "activation_bytes", "a micro-batch": "held_bytes",
        "for a moment": "workspace_bytes"}


def profile_tables(profile: Profile) -> Iterator[FittedTable | Text]:
    """A profile for a screen, passes of a micro-batch and updates by their letters."""
    heads = _heads(profile)
    yield _times(profile.stages, heads)
    yield from _beside(profile)
    yield from _bytes(profile.stages, heads)
    rate = profile.bandwidth_bytes_per_s
    yield Text(f"link: {seconds_text(profile.latency_s, 3)}, "
               + (f"{bytes_text(rate)}/s" if rate else "no limit found") + f"; {profile.device}")
    yield from _together(profile.notes.get("sum_over_whole"))
    if profile.notes.get("graphs"):
        yield Text("stages captured as CUDA graphs")
    if profile.notes.get("graphs_why"):
        yield Text(f"not captured: {profile.notes['graphs_why']}")


def _heads(profile: Profile) -> list[str]:
    """What the rows are called: stages by number, layers by the names that a profile has of them,
    below the word for both."""
    known = profile.notes.get("layers")
    if isinstance(known, list) and len(known) == len(profile.stages):
        return ["layer", *map(str, known)]
    return ["stage", *map(str, range(len(profile.stages)))]


def _together(ratios: Mapping[str, float] | None) -> Iterator[Text]:
    """How many times as long layers take one by one as all of them in one stage."""
    if isinstance(ratios, Mapping) and ratios:
        yield Text("one by one, layers take " + ", ".join(
            f"{ratio:.2f} ({op})" for op, name in OPS.items()
            if (ratio := ratios.get(name)) is not None) + " times as long as in one stage")


def _times(stages: Sequence[StageProfile], heads: Sequence[str]) -> FittedTable:
    known = [op for op, name in OPS.items() if any(getattr(s, name) is not None for s in stages)]
    alone = {op: [getattr(stage, OPS[op]) for stage in stages] for op in known}
    alone["again"] = [stage.recompute_s for stage in stages]
    asked = {f"ask {op}": [stage.issue_s.get(op) for stage in stages] for op in known
             if any(stage.issue_s for stage in stages)}
    unit = unit_for((value for column in alone.values() for value in column), SECONDS)
    table = FittedTable(
        f"{unit.sign} of the device alone" + (", and of the host to ask for it" if asked else ""),
        [Column(heads[0], key=True), *map(Column, alone),
         *(Column(head, group=1) for head in asked)],
        ["again: a forward run once more by a backward that recomputes"]
        if any(alone["again"]) else [])
    _fill(table, heads[1:], [aligned([unit.of(value) for value in column], 4)
                             for column in (*alone.values(), *asked.values())])
    return table


def _beside(profile: Profile) -> Iterator[FittedTable]:
    """How many times as long each operation takes beside each other one on its hardware."""
    if not profile.beside:
        return
    ops = list(OPS)
    columns = sorted({(p.beside_stage, p.beside_op) for p in profile.beside},
                     key=lambda each: (each[0], ops.index(each[1])))
    rows = sorted({(p.stage, p.op) for p in profile.beside},
                  key=lambda each: (each[0], ops.index(each[1])))
    factor = {((p.stage, p.op), (p.beside_stage, p.beside_op)): p.factor for p in profile.beside}
    table = FittedTable("times as long beside a neighbour's",
                        [names(""), *(Column(f"{stage}{op}", group=stage)
                                      for stage, op in columns)])
    for stage, op in rows:
        found = [factor.get(((stage, op), each)) for each in columns]
        table.add_row(f"{stage}{op}", *(NONE if f is None else f"{f:.2f}" for f in found))
    yield table


def _bytes(stages: Sequence[StageProfile], heads: Sequence[str]) -> Iterator[FittedTable]:
    """What stages hold; no table where nothing is known of it."""
    columns = [[getattr(stage, name) for stage in stages] for name in HELD.values()]
    unit = unit_for((value for column in columns for value in column), BYTES)
    table = FittedTable(f"memory, {unit.sign}", [Column(heads[0], key=True), *map(Column, HELD)])
    _fill(table, heads[1:], [aligned([unit.of(value) for value in column], 4)
                             for column in columns])
    if any(value is not None for column in columns for value in column):
        yield table


def _fill(table: FittedTable, heads: Sequence[str], columns: Sequence[Sequence[str]]) -> None:
    for head, cells in zip(heads, zip(*columns, strict=True), strict=True):
        table.add_row(head, *cells)
