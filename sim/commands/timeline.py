"""`python -m sim timeline`: the pipeline in the papers' grid, or one mini-batch's round trip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sim.commands.asked import asked, program_option, say_hints
from sim.commands.bars import running
from sim.commands.door import Number, console, experiment_argument, json_option, print_json


@click.command()
@experiment_argument
@click.option("--minibatch", type=int, metavar="I", help="Also print this one's round trip.")
@click.option("--labels", type=click.Choice(["time-unit", "updates"]), default=None,
              help="Version labels in the grid: W4 by SpecTrain's time unit, or v3 by updates "
                   "(default: time-unit on round-robin).")
@click.option("--from", "first", type=click.IntRange(0), metavar="COLUMN",
              help="First column of the grid to show.  [default: 0, or shortly before I]")
@click.option("--to", "last", type=click.IntRange(0), metavar="COLUMN",
              help="Last column to show, below the others where the terminal is too narrow.  "
                   "[default: as many as the terminal is wide]")
@click.option("--column", "slot_s", type=Number(1e-9, 1e7), metavar="SECONDS",
              help="Seconds of a column.  [default: a short pass]")
@program_option
@json_option
def timeline(experiment: Path | None, settings: tuple[str, ...], minibatch: int | None,
             labels: str | None, program_file: Path | None, as_json: bool, **columns: Any
             ) -> None:
    """The pipeline in the papers' grid; with --minibatch, its round trip."""
    from analysis.terminal.timeline_view import TimelineView
    from sim.experiment.run import run as simulate

    resolved, program = asked(experiment, settings, program_file)
    with running(resolved, program, training=False):
        view = TimelineView.of(simulate(resolved, program, training=False), minibatch, labels)
    if as_json:
        _refuse_columns(columns)
        print_json(view.as_json())
        return
    screen = console()
    lines, notes = view.grid(screen.width, **columns)
    for line in lines:
        screen.print(line, highlight=False, soft_wrap=True)
    for note in notes:
        screen.print(note, highlight=False, markup=False)
    for table in view.tables():
        screen.print()
        screen.print(table)
    say_hints(screen, resolved, view.told())


def _refuse_columns(columns: dict[str, Any]) -> None:
    """Options of the drawing do not go with `--json`.  Raises ConfigurationError."""
    from sim.errors import ConfigurationError

    if set(columns.values()) != {None}:
        raise ConfigurationError(["--from, --to and --column choose what is drawn; --json "
                                  "has every pass"])
