"""`python -m figures sweep`: what a sweep found, over one or two of its keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from figures.commands.looks import LOOKS, look_of, look_options
from sim.commands.door import HELP
from sim.commands.outputs import OUT_FOLDER


@click.command(context_settings=HELP)
@click.argument("table", metavar="TABLE.csv", type=click.Path(path_type=Path))
@click.option("--x", metavar="KEY", help="Column across, e.g. learning_rate.")
@click.option("--y", metavar="KEY", help="Column of numbers up, e.g. final_loss.")
@click.option("--by", metavar="KEY", help="Column that has a line for each of its values.")
@look_options
@click.option("--out", type=OUT_FOLDER, default=Path("out"), show_default=True,
              help="Folder for the picture and its rows as CSV.")
@click.pass_context
def sweep(ctx: click.Context, /, table: Path, x: str | None, y: str | None, by: str | None,
          out: Path, **options: Any) -> None:
    """Draw a number of a sweep's table over one of its keys, a line for each value of another.

    TABLE.csv is what python -m sim sweep wrote.  Columns by their whole names or by their last
    parts.  Points that differ in other keys become a line through their mean in a band from the
    lowest to the highest; points of three seeds or more have bars of one standard deviation.
    """
    from figures.sweeps.making import make

    look = look_of(*(options[name] for name in LOOKS.values()))
    given = {each.opts[0]: ctx.params[each.name] for each in ctx.command.params
             if each.name in ctx.params and each.opts[0].startswith("--")
             and ctx.get_parameter_source(each.name) is click.core.ParameterSource.COMMANDLINE}
    for path in make(table, (x, y, by), look, out, given):
        click.echo(f"{path} written")
