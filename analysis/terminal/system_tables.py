"""The systems' table for the terminal: what each costs, and what it buys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.text import Text

from analysis.comparison.compare import spread_in
from analysis.terminal.fitted.layout import Column
from analysis.terminal.fitted.table import FittedTable, names
from analysis.terminal.fitted.units import BYTES, aligned, in_percent, unit_for
from analysis.terminal.paired_table import paired_tables
from analysis.terminal.tables import (
    STAGES,
    accuracy,
    fullest,
    loss,
    over_seeds,
    percent_span,
    refusals,
    span,
    spread_cell,
)
from sim.experiment.options import Experiment

COSTS, LATENESS, GAINS, TARGET = range(4)  # what belongs together


def system_tables(rows: Sequence[dict[str, Any]], experiment: Experiment, seeds: int,
                  target: float) -> list[FittedTable | Text]:
    """The systems for a screen: what each costs, what it buys, pairs by seed; below, readings and
    refusals.

    A row a system; `target` is a validation accuracy.
    """
    training, pipeline = experiment.training, experiment.pipeline
    given = [row for row in rows if not row["refused"]]
    peak = unit_for(map(fullest, given), BYTES)
    sent = unit_for((row["memory"]["link_bytes_per_minibatch"] for row in given), BYTES)
    table = FittedTable(
        f"{pipeline.stages} stages, {pipeline.minibatches} mini-batches or the next number its "
        f"workers can share, {training.task}, learning rate {training.learning_rate:g}, "
        f"{over_seeds(seeds)}; target: {100 * target:g} % validation accuracy",
        _heads(peak.sign, sent.sign),
        ["mini-batches/s: in the steady state; peak: of the fullest device; on links: a "
         f"mini-batch; late: updates behind, forward and backward; {STAGES}; fluctuation: "
         "standard deviation of accuracy (validation) over the last fifth; stable ηλ: largest "
         "learning rate times curvature, measured on the quadratic"])
    for cells in zip(*_costs(given, peak.size, sent.size), *_gains(given), strict=True):
        table.add_row(*cells)
    if any(row["reached_target"] < seeds for row in given):
        table.notes = [*table.notes, "target after 1 of 3: reached with one seed of three"]
    readings = [Text(f"[choice] {row['system']}: {row['reading']}")
                for row in given if row["reading"]]
    return [*([table] if given else []),
            *paired_tables(rows, "system", lambda row: str(row["system"])),
            *refusals([(row["system"], row["refused"]) for row in rows if row["refused"]]),
            *readings]


def _heads(peak: str, sent: str) -> list[Column]:
    """The columns, bytes in the units given."""
    return [
        names("system"), Column("de\u00advices", once=True),
        Column("mini-batches/s", group=COSTS),
        Column("bubble", "%"), Column("peak", peak), Column("on links", sent),
        Column("late fwd", group=LATENESS), Column("late bwd", group=LATENESS),
        Column("incon\u00adsistent", "%", group=LATENESS),
        Column("ver\u00adsions held", group=LATENESS),
        Column("distance forward", "%", group=LATENESS),
        Column("final loss", group=GAINS),
        Column("accu\u00adracy", "%", group=GAINS),
        Column("fluctu\u00adation", "%", group=GAINS), Column("stable ηλ", group=GAINS),
        Column("target after batches", group=TARGET), Column("after epochs", group=TARGET),
        Column("after seconds", group=TARGET)]


def _costs(rows: Sequence[dict[str, Any]], peak: float, sent: float) -> list[list[str]]:
    """The cells of the first columns."""
    return [
        [row["system"] for row in rows], [str(row["devices"]) for row in rows],
        aligned([row["steady_throughput_minibatches_per_s"] for row in rows]),
        in_percent([row["bubble_fraction"] for row in rows]),
        aligned([fullest(row) / peak for row in rows]),
        aligned([row["memory"]["link_bytes_per_minibatch"] / sent for row in rows]),
        *([span(row["staleness"][way]) for row in rows] for way in ("forward", "backward")),
        in_percent([row["inconsistent_fraction"] for row in rows]),
        [span(row["versions_held"]) for row in rows],
        [percent_span(row["weight_distance"]["forward"]) for row in rows]]


def _gains(rows: Sequence[dict[str, Any]]) -> list[list[str]]:
    """The cells of the others."""
    return [
        list(map(loss, rows)), list(map(accuracy, rows)),
        in_percent([row["accuracy_fluctuation"] for row in rows]),
        aligned([row["largest_stable_rate"] for row in rows]),
        *([_reached(row, name, digits) for row in rows] for name, digits in (
            ("minibatches_to_target", 3), ("epochs_to_target", 2), ("seconds_to_target", 3)))]


def _reached(row: dict[str, Any], name: str, digits: int) -> str:
    """The spread over seeds where every one met the target, else how many did."""
    if row[name] is None:
        return f"{row['reached_target']} of {len(row['seeds'])}"
    return spread_cell(spread_in(row, name), digits)
