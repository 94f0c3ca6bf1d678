"""What `run` and `timeline` simulate: an experiment, with a schedule's program or the user's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sim.experiment.options import Experiment
    from sim.experiment.program_file import Taken
    from sim.order.program import Program

program_option = click.option(
    "--program", "program_file", type=click.Path(path_type=Path), metavar="FILE",
    help="Run this program instead of a schedule's: our text form, PyTorch's pipelining CSV, old "
         "or new, or what a spreadsheet made of them.  It gives the shape; of one mini-batch it is "
         "repeated by --set minibatches=M.")


def asked(experiment: Path | None, settings: tuple[str, ...], program_file: Path | None
          ) -> tuple[Experiment, Program | None]:
    """What a command is to simulate: an experiment, and the program of a file where one is given.

    The experiment then takes the program's shape, and what the file was taken for is said on
    standard error; without a file its schedule makes the program.  Raises ConfigurationError or
    InvalidProgramError.
    """
    from sim.experiment.configuration import document_of, resolve
    from sim.experiment.program_file import with_program

    document = document_of(experiment, settings)
    found = said(program_file)
    if found is None:
        return resolve(document), None
    resolved, program = with_program(document, found)
    wanted, has = document.get("pipeline", {}).get("minibatches"), resolved.pipeline.minibatches
    if wanted not in (None, has):  # a file of several is as long as it is
        click.echo(f"pipeline.minibatches = {wanted} is left out: the program has {has}", err=True)
    return resolved, program


def said(program_file: Path | None, *, aloud: bool = True) -> Taken | None:
    """The program of a file, where one is given, and `aloud` a line on standard error of what it
    was taken for.  Raises InvalidProgramError or InputError."""
    from sim.experiment.program_file import taken

    if program_file is None:
        return None
    found = taken(program_file)
    if aloud:
        click.echo(found.said, err=True)
    return found


def say_hints(screen: Any, experiment: Experiment, report: Mapping[str, Any]) -> None:
    """Print on a rich console what of an experiment is surely not meant, below its numbers.

    `report` is that of its run, or the part of it that is shown.
    """
    from sim.hints import hints

    for line in hints(experiment, report):
        screen.print(f"hint: {line}", markup=False)
