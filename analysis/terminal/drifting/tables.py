"""Policies under drift for the terminal: a row each, pairs by seed, and the course each took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from analysis.comparison.compare import spread_in
from analysis.drifting.problem import DriftProblem
from analysis.terminal.fitted.layout import Column
from analysis.terminal.fitted.table import Facts, FittedTable, names
from analysis.terminal.fitted.units import (
    BYTES,
    aligned,
    bytes_text,
    in_percent,
    percent_text,
    short,
    unit_for,
)
from analysis.terminal.paired_table import paired_tables
from analysis.terminal.tables import (
    STAGES,
    accuracy,
    loss,
    over_seeds,
    refusals,
    span,
    spread_cell,
)

Row = Mapping[str, Any]
MOST_LEGS = 6  # of a course that are told


def drift_tables(rows: Sequence[dict[str, Any]], problem: DriftProblem, seeds: int
                 ) -> list[FittedTable | Facts | Text]:
    """Policies for a screen: a row each; below, pairs by seed, courses and refusals."""
    pipeline, training = problem.experiment.pipeline, problem.experiment.training
    given = [row for row in rows if not row["refused"]]
    moved = unit_for((row["moved_bytes"] for row in given), BYTES)
    table = FittedTable(
        f"{pipeline.stages} stages, {pipeline.minibatches} mini-batches, {training.task}, "
        f"something may change every {problem.every}, {over_seeds(seeds)}",
        [names("policy"), Column("mini-batches/s"), Column("bubble", "%"), Column("changes"),
         Column("moved", moved.sign), Column("moving", "s"), Column("late fwd", group=1),
         Column("late bwd", group=1), Column("at most", group=1), Column("final loss", group=2),
         Column("accu\u00adracy", "%", group=2)],
        ["bubble: layers that move count as idle time; late: updates behind, forward and backward; "
         f"{STAGES}; at most: the most updates behind; accuracy: on the validation set"])
    for cells in zip(*_columns(given, moved.size), strict=True):
        table.add_row(*cells)
    return [*([table] if given else []), *paired_tables(rows, "policy", _name),
            *([_courses(given)] if given else []), *_lateness(given),
            *refusals([(row["policy"], row["refused"]) for row in rows if row["refused"]])]


def _name(row: Row) -> str:
    return str(row["policy"])


def _columns(rows: Sequence[dict[str, Any]], unit: float) -> list[list[str]]:
    """The cells of each column; bytes in `unit`s of so many."""
    return [
        list(map(_name, rows)),
        [spread_cell(spread_in(row, "throughput_minibatches_per_s"), 4) for row in rows],
        in_percent([row["bubble_fraction"] for row in rows]),
        aligned([row["changes"] for row in rows]),
        aligned([row["moved_bytes"] / unit for row in rows]),
        aligned([row["move_s"] for row in rows]),
        *([span(row["staleness"][way]) for row in rows] for way in ("forward", "backward")),
        [short(row["staleness"]["max"], 3) for row in rows],
        list(map(loss, rows)), list(map(accuracy, rows))]


def _lateness(rows: Sequence[Row]) -> list[Facts]:
    """How often forwards read weights how old, of the policies under which a stage's differ."""
    told = []
    for row in rows:
        stages = row["staleness"]["distribution"]["forward"]
        if any(len(counts) > 1 for counts in stages):
            told.append((_name(row), "; ".join(
                f"stage {number}: {_shares(counts)}" for number, counts in enumerate(stages))))
    return [Facts("updates behind, share of the forwards", told)] if told else []


def _shares(counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    return ", ".join(f"{late} in {percent_text(times / total)}"
                     for late, times in reversed(list(counts.items())))


def _courses(rows: Sequence[Row]) -> Facts:
    """What each policy did with the first seed."""
    seed = rows[0]["seeds"][0]
    return Facts(f"courses (seed {seed})",
                 [(_name(row), _course(row["courses"][0])) for row in rows])


def _course(legs: Sequence[Row]) -> str:
    """A course in words: what held from which mini-batch on."""
    said = [_leg(leg, before) for leg, before in zip(legs, [None, *legs], strict=False)]
    more = len(said) - MOST_LEGS
    return "; ".join(said[:MOST_LEGS]) + (f"; and {more} more" if more > 0 else "")


def _leg(leg: Row, before: Row | None) -> str:
    layers = "-".join(map(str, leg["layers"]))
    if before is None:
        return str(leg["order"]) + (f", {layers} layers" if layers else "")
    changed = [leg["order"]] if leg["order"] != before["order"] else []
    if leg["layers"] != before["layers"]:
        changed.append(f"{layers} layers ({bytes_text(leg['moved_bytes'])} moved)")
    return f"from {leg['minibatch']} on {', '.join(changed) or 'another ' + leg['order']}"
