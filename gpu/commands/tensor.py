"""`python -m gpu tensor`: a pair of matrices that several processes share, and its exchanges."""

from __future__ import annotations

import os
from pathlib import Path

import click

from gpu.commands.door import end, typed
from gpu.commands.options import folder_option
from sim.commands.asked import program_option, said
from sim.commands.bars import counted_later
from sim.commands.door import console, experiment_argument, json_option, print_json


@click.command()
@experiment_argument
@click.option("--ways", type=click.IntRange(2, 16), default=2, show_default=True,
              help="Processes that share every pair of matrices.")
@program_option
@click.option("--repeats", type=click.IntRange(4, 10_000), default=30, show_default=True,
              help="All-reduces of each size that are timed, and passes.")
@folder_option
@json_option
def tensor(experiment: Path | None, settings: tuple[str, ...], ways: int,
           program_file: Path | None, repeats: int, out: Path | None, as_json: bool) -> None:
    """Split pairs of matrices among processes: are they the whole ones, and what does it take?

    A pair is split by columns, then rows, and compared with the whole one; stages of such pairs
    are trained through the experiment's program on every process; all-reduces are timed by size,
    α and β fitted to some and checked on the others.  Exits with 1 where anything is not equal.
    """
    from analysis.terminal.fitted.page import on_screen
    from gpu.distributed.launch import asked_for
    from gpu.tensor.report import page, write
    from gpu.tensor.study import Asked, check, measured

    program = said(program_file, aloud=os.environ.get("RANK", "0") == "0")
    resolved, given = asked_for(experiment, settings, 2, program, minibatches=12, batch_size=8)
    asked = Asked(resolved, ways, given, repeats=repeats)
    check(asked)
    with counted_later(asked.steps) as done:
        found = measured(asked, done)
    if found is None:
        return
    written = [] if out is None else write(found, typed(), out)
    if as_json:
        print_json(found)
    else:
        screen = console()
        for each in on_screen(page(found, typed())):
            screen.print(each)
        for path in written:
            click.echo(f"{path} written")
    if not found["passed"]:
        end(1, "a split pair is not the whole one, or the processes did not do the same")
