"""`python -m sim compare`: mitigations or whole systems, a row each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sim.commands.asked import asked, program_option, say_hints
from sim.commands.bars import counted
from sim.commands.door import Number, console, experiment_argument, json_option, print_json

if TYPE_CHECKING:
    from sim.experiment.options import Experiment
    from sim.order.program import Program

TARGET = 0.9  # validation accuracy to reach, where none is given
Rows = list[dict[str, Any]]
Tables = Callable[[], Iterable[Any]]  # made where a screen is there to print them on


@click.command()
@experiment_argument
@click.option("--mitigations", default="all", show_default=True, metavar="A,B,…|all",
              help="Rows, e.g. none,stash,i-timeprest:decay=2@nf1b/7 "
                   "(parameters after colons, @SCHEDULE/MICROBATCHES).")
@click.option("--systems", default=None, metavar="A,B,…|all",
              help="Rows are systems by name instead, e.g. pipedream,i-timeprest:decay=2; "
                   "forward_s and backward_s are then those of a whole mini-batch.")
@click.option("--target", type=Number(0, 1), default=None,
              help="Validation accuracy to reach, of systems.  [default: 0.9]")
@click.option("--seeds", type=click.IntRange(1, 1000), default=1, show_default=True,
              help="Seeds to average over, counted from training.seed; rows are paired by them "
                   "with the first.")
@program_option
@json_option
def compare(experiment: Path | None, settings: tuple[str, ...], mitigations: str,
            systems: str | None, target: float | None, seeds: int, program_file: Path | None,
            as_json: bool) -> None:
    """One table, a row per mitigation or system; one that is refused is a row with its reason."""
    _refuse_mixed(mitigations, systems, target, program_file)
    resolved, program = asked(experiment, (*settings, "pipeline.mitigation=none"), program_file)
    averaged = range(resolved.training.seed, resolved.training.seed + seeds)
    rows, tables = (of_mitigations(resolved, mitigations, averaged, program) if systems is None
                    else of_systems(resolved, systems, averaged,
                                    TARGET if target is None else target))
    if as_json:
        print_json(rows)
        return
    screen = console()
    for each in tables():
        screen.print(each, markup=False)
    if (first := plain_row(resolved, rows)) is not None:
        say_hints(screen, resolved, first)


def plain_row(experiment: Experiment, rows: Rows) -> dict[str, Any] | None:
    """The first row that ran in the experiment's own order; None where none did."""
    pipeline = experiment.pipeline
    order = pipeline.schedule, pipeline.stages, pipeline.microbatches
    return next((row for row in rows if not row["refused"] and "system" not in row and order == (
        row["schedule"], row["stages"], row["microbatches"])), None)


def _refuse_mixed(mitigations: str, systems: str | None, target: float | None,
                  program_file: Path | None) -> None:
    """Rows are mitigations or systems, a target is of systems, and those have orders of their own.

    Raises ConfigurationError.
    """
    from sim.errors import ConfigurationError

    if systems is not None and mitigations != "all":
        raise ConfigurationError(["--systems, --mitigations: rows are one or the other"])
    if systems is None and target is not None:
        raise ConfigurationError(["--target: is of --systems"])
    if systems is not None and program_file is not None:
        raise ConfigurationError(["--systems, --program: a system has an order of its own"])


def of_mitigations(experiment: Experiment, names: str, seeds: range,
                   program: Program | None = None) -> tuple[Rows, Tables]:
    """A row for each mitigation asked for, and what makes the tables for a screen.

    Numbers are means over `seeds`; a `program` stands in for the experiment's schedule.  Raises
    ConfigurationError.
    """
    from analysis.comparison.compare import rows as compared
    from analysis.terminal.comparison_tables import comparison_tables
    from sim.experiment.compared.contender import contenders, on_one_order

    chosen = contenders(names) if program is None else on_one_order(names)
    with counted("simulating", len(chosen) * len(seeds)) as done:
        rows = compared(experiment, chosen, seeds, done, program)
    return rows, lambda: comparison_tables(rows, experiment, len(seeds))


def of_systems(experiment: Experiment, names: str, seeds: range, target: float
               ) -> tuple[Rows, Tables]:
    """A row for each system asked for, and what makes the tables for a screen.

    Numbers are means over `seeds`; `target` is the validation accuracy to reach.  Raises
    ConfigurationError.
    """
    from analysis.comparison.systems import system_rows
    from analysis.terminal.system_tables import system_tables
    from sim.experiment.compared.entrant import entrants

    chosen = entrants(names)
    with counted("simulating", len(chosen) * len(seeds)) as done:
        rows = system_rows(experiment, chosen, seeds, target, done)
    return rows, lambda: system_tables(rows, experiment, len(seeds), target)
