"""`python -m sim run`: one experiment, its report and its trace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sim.commands.asked import asked, program_option
from sim.commands.bars import updates
from sim.commands.door import console, experiment_argument, json_option, print_json

if TYPE_CHECKING:
    from sim.commands.other_rooms import OtherRooms


@click.command()
@experiment_argument
@click.option("--engine", type=click.Choice(["auto", "simpy", "exact"]), default="auto",
              help="How times are computed, never what they are; auto is exact where the order "
                   "is fixed beforehand (static dispatch), else simpy.")
@program_option
@click.option("--out", type=click.Path(path_type=Path), metavar="TRACE.npz",
              help="Write the trace here.")
@json_option
@click.pass_obj
def run(rooms: OtherRooms, experiment: Path | None, settings: tuple[str, ...], engine: str,
        program_file: Path | None, out: Path | None, as_json: bool) -> None:
    """Simulate one experiment (the default one without a file)."""
    from sim.experiment.run import run as simulate

    resolved, program = asked(experiment, settings, program_file)
    with updates(resolved) as watch:
        trace = simulate(resolved, program, watch=watch, engine=engine)
    if out is not None:
        trace.save(out)
    values, tables = rooms.report(trace)
    if as_json:
        print_json(values)
        return
    screen = console()
    for table in tables():
        screen.print(table)
    if out is not None:
        click.echo(f"trace written to {out}")
