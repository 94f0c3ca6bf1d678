"""`python -m sim compare`: mitigations or whole systems, a row each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sim.commands.door import console, experiment_argument, json_option, print_json

if TYPE_CHECKING:
    from sim.commands.other_rooms import OtherRooms


@click.command()
@experiment_argument
@click.option("--mitigations", default="all", show_default=True, metavar="A,B,…|all",
              help="Rows, e.g. none,stash,i-timeprest:decay=2@nf1b/7 "
                   "(parameters after colons, @SCHEDULE/MICROBATCHES).")
@click.option("--systems", default=None, metavar="A,B,…|all",
              help="Rows are systems by name instead, e.g. pipedream,i-timeprest:decay=2; "
                   "forward_s and backward_s are then those of a whole mini-batch.")
@click.option("--target", type=click.FloatRange(0, 1), default=None,
              help="Validation accuracy to reach, of systems.  [default: 0.9]")
@click.option("--seeds", type=click.IntRange(1, 1000), default=1, show_default=True,
              help="Seeds to average over, counted from training.seed.")
@json_option
@click.pass_obj
def compare(rooms: OtherRooms, experiment: Path | None, settings: tuple[str, ...],
            mitigations: str, systems: str | None, target: float | None, seeds: int,
            as_json: bool) -> None:
    """One table, a row per mitigation or system; one that is refused is a row with its reason."""
    from sim.errors import ConfigurationError
    from sim.experiment.configuration import read_experiment

    if systems is not None and mitigations != "all":
        raise ConfigurationError(["--systems, --mitigations: rows are one or the other"])
    if systems is None and target is not None:
        raise ConfigurationError(["--target: is of --systems"])
    resolved = read_experiment(experiment, (*settings, "pipeline.mitigation=none"))
    averaged = range(resolved.training.seed, resolved.training.seed + seeds)
    if systems is None:
        rows, tables = rooms.mitigations(resolved, mitigations, averaged)
    else:
        rows, tables = rooms.systems(resolved, systems, averaged, target or 0.9)
    if as_json:
        print_json(rows)
        return
    screen = console()
    for each in tables():
        screen.print(each, markup=False)
