"""The comparison's tables for the terminal: a row per mitigation, and pairs by seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from analysis.comparison.compare import named
from analysis.terminal.paired_table import paired_tables
from analysis.terminal.tables import accuracy, loss, new_table, over_seeds, span
from sim.commands.door import number
from sim.experiment.options import Experiment


def comparison_tables(rows: Sequence[dict[str, Any]], experiment: Experiment, seeds: int
                      ) -> list[Table | str]:
    """A comparison for a screen: a row per contender; below, pairs by seed, and refusals."""
    training, pipeline = experiment.training, experiment.pipeline
    table = new_table(f"{pipeline.stages} stages, {pipeline.minibatches} mini-batches, "
                   f"{training.task}, learning rate {training.learning_rate}, {over_seeds(seeds)}; "
                   "a…b: first to last stage; late: updates behind, forward and backward",
                   "<mitigation", "<schedule", "late\nfwd", "late\nbwd", "incon-\nsistent",
                   "distance %\nforward", "versions\nheld", "bubble", "final\nloss",
                   "validation\naccuracy %")
    for each in rows:
        table.add_row(*([each["mitigation"], each["schedule"], "refused"] if each["refused"]
                        else _comparison_cells(each)))
    reasons = [f"refused: {r['mitigation']} on {r['schedule']}: {r['refused']}"
               for r in rows if r["refused"]]
    return [table, *paired_tables(rows, "mitigation", named), *reasons]


def _comparison_cells(values: dict[str, Any]) -> list[str]:
    many = values["microbatches"] > 1
    schedule = values["schedule"] + (f"/{values['microbatches']}" if many else "")
    return [values["mitigation"], schedule,
            span(values["staleness"]["forward"]), span(values["staleness"]["backward"]),
            number(values["inconsistent_fraction"], 2),
            span([None if d is None else 100 * d for d in values["weight_distance"]["forward"]]),
            span(values["versions_held"]),
            number(values["bubble_fraction"], 2), loss(values), accuracy(values)]
