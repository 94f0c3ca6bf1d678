"""`python -m analysis steady`: the throughput of an endless run, without simulating one."""

from __future__ import annotations

from pathlib import Path

import click

from sim.commands.asked import asked, program_option
from sim.commands.bars import busy
from sim.commands.door import console, experiment_argument, json_option, print_json


@click.command()
@experiment_argument
@program_option
@json_option
def steady(experiment: Path | None, settings: tuple[str, ...], program_file: Path | None,
           as_json: bool) -> None:
    """Throughput of an endless run without a run, and what to speed up."""
    from analysis.terminal.theory_tables import steady_tables
    from analysis.theory.endless import endless

    resolved, program = asked(experiment, settings, program_file)
    with busy("looking for the period"):
        found = endless(resolved, program)
    if as_json:
        print_json(found)
        return
    screen = console()
    for each in steady_tables(found):
        screen.print(each)
