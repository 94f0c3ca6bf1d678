"""The systems' tables for the terminal: what each costs, and what it buys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from analysis.comparison.compare import spread_in
from analysis.terminal.paired_table import paired_tables
from analysis.terminal.tables import accuracy, loss, new_table, over_seeds, span, spread_cell
from sim.commands.door import number
from sim.experiment.options import Experiment

COSTS = ("<system", "devices", "mini-\nbatches/s", "bubble", "late\nfwd", "late\nbwd",
         "incon-\nsistent", "versions\nheld", "peak kB\na device", "kB on links\na mini-batch")
GAINS = ("<system", "distance %\nforward", "final\nloss", "validation\naccuracy %",
         "fluctu-\nation %", "to target:\nbatches", "\nepochs", "\nseconds",
         "stable\nηλ")


def system_tables(rows: Sequence[dict[str, Any]], experiment: Experiment, seeds: int,
                  target: float) -> list[Table | str]:
    """The systems for a screen: what each costs, what it buys, pairs by seed; below, readings and
    refusals.

    A row a system in each table; `target` is a validation accuracy.
    """
    training, pipeline = experiment.training, experiment.pipeline
    given = [row for row in rows if not row["refused"]]
    costs = new_table(f"{pipeline.stages} stages, {pipeline.minibatches} mini-batches or the next "
                      "number its workers can share; a…b: first to last stage; late: updates "
                      "behind, forward and backward; throughput in steady state", *COSTS)
    gains = new_table(f"{training.task}, learning rate {training.learning_rate}, "
                      f"{over_seeds(seeds)}; target: {100 * target:g} % validation accuracy; "
                      "fluctuation: standard deviation of accuracy over the last fifth; stable "
                      "ηλ: largest learning rate times curvature, measured on the quadratic",
                      *GAINS)
    for row in given:
        costs.add_row(*cost_cells(row))
        gains.add_row(*gain_cells(row))
    readings = [f"[choice] {row['system']}: {row['reading']}" for row in given if row["reading"]]
    refused = [f"refused: {row['system']}: {row['refused']}" for row in rows if row["refused"]]
    pairs = paired_tables(rows, "system", lambda row: str(row["system"]))
    return [costs, gains, *pairs, *readings, *refused]


def cost_cells(row: dict[str, Any]) -> list[str]:
    """A system's cells in the table of costs."""
    late, memory = row["staleness"], row["memory"]
    return [row["system"], str(row["devices"]),
            number(row["steady_throughput_minibatches_per_s"], 3),
            number(row["bubble_fraction"], 2), span(late["forward"]), span(late["backward"]),
            number(row["inconsistent_fraction"], 2), span(row["versions_held"]),
            f"{max(memory['peak_device_bytes']) / 1e3:.0f}",
            f"{memory['link_bytes_per_minibatch'] / 1e3:.0f}"]


def gain_cells(row: dict[str, Any]) -> list[str]:
    """A system's cells in the table of gains."""
    far = [None if d is None else 100 * d for d in row["weight_distance"]["forward"]]
    return [row["system"], span(far), loss(row),
            accuracy(row),
            number(None if row["accuracy_fluctuation"] is None
                   else 100 * row["accuracy_fluctuation"], 2),
            *(_reached(row, name, digits) for name, digits in (
                ("minibatches_to_target", 3), ("epochs_to_target", 2), ("seconds_to_target", 3))),
            number(row["largest_stable_rate"], 3)]


def _reached(row: dict[str, Any], name: str, digits: int) -> str:
    """The spread over seeds where every one met the target, else how many did."""
    if row[name] is None:
        return f"{row['reached_target']} of {len(row['seeds'])}"
    return spread_cell(spread_in(row, name), digits)
