"""What `run` and `timeline` simulate: an experiment, with a schedule's program or the user's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sim.experiment.options import Experiment
    from sim.order.program import Program

program_option = click.option(
    "--program", "program_file", type=click.Path(path_type=Path), metavar="FILE",
    help="Run this program instead of a schedule's: our text form, or PyTorch's pipelining CSV "
         "(one mini-batch; --set minibatches=M repeats it).")


def asked(experiment: Path | None, settings: tuple[str, ...], program_file: Path | None
          ) -> tuple[Experiment, Program | None]:
    """What a command is to simulate: an experiment, and the program of a file where one is given.

    The experiment then takes the program's shape; without a file its schedule makes the program.
    Raises ConfigurationError or InvalidProgramError.
    """
    from sim.experiment.configuration import read_experiment
    from sim.experiment.program_file import with_program

    resolved = read_experiment(experiment, settings)
    return (resolved, None) if program_file is None else with_program(resolved, program_file)


def say_hints(screen: Any, experiment: Experiment, report: Mapping[str, Any]) -> None:
    """Print on a rich console what of an experiment is surely not meant, below its numbers.

    `report` is that of its run, or the part of it that is shown.
    """
    from sim.hints import hints

    for line in hints(experiment, report):
        screen.print(f"hint: {line}", markup=False)
