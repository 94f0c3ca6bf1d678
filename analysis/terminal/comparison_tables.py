"""The comparison's tables for the terminal: a row per mitigation, and pairs by seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.text import Text

from analysis.comparison.compare import named
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
)
from sim.experiment.options import Experiment


def comparison_tables(rows: Sequence[dict[str, Any]], experiment: Experiment, seeds: int
                      ) -> list[FittedTable | Text]:
    """A comparison for a screen: a row per contender; below, pairs by seed, and refusals."""
    training, pipeline = experiment.training, experiment.pipeline
    given = [row for row in rows if not row["refused"]]
    unit = unit_for(map(fullest, given), BYTES)
    table = FittedTable(
        f"{pipeline.stages} stages, {pipeline.minibatches} mini-batches, {training.task}, "
        f"learning rate {training.learning_rate:g}, {over_seeds(seeds)}",
        [names("mitigation"), Column("schedule", left=True, once=True), Column("late fwd"),
         Column("late bwd"), Column("incon\u00adsistent", "%"),
         Column("dis\u00adtance forward", "%"),
         Column("ver\u00adsions held"), Column("peak", unit.sign), Column("bubble", "%", once=True),
         Column("final loss", group=1), Column("accu\u00adracy", "%", group=1)],
        [f"late: updates behind, forward and backward; {STAGES}; peak: of the fullest device; "
         "accuracy: on the validation set"])
    for cells in zip(*_columns(given, unit.size), strict=True):
        table.add_row(*cells)
    return [*([table] if given else []), *paired_tables(rows, "mitigation", named),
            *refusals([(f"{row['mitigation']} on {row['schedule']}", row["refused"])
                       for row in rows if row["refused"]])]


def _columns(rows: Sequence[dict[str, Any]], unit: float) -> list[list[str]]:
    """The cells of each column; bytes in `unit`s of so many."""
    return [
        [row["mitigation"] for row in rows],
        [row["schedule"] + (f"/{row['microbatches']}" if row["microbatches"] > 1 else "")
         for row in rows],
        *([span(row["staleness"][way]) for row in rows] for way in ("forward", "backward")),
        in_percent([row["inconsistent_fraction"] for row in rows]),
        [percent_span(row["weight_distance"]["forward"]) for row in rows],
        [span(row["versions_held"]) for row in rows],
        aligned([fullest(row) / unit for row in rows]),
        in_percent([row["bubble_fraction"] for row in rows]),
        list(map(loss, rows)), list(map(accuracy, rows))]
