"""`python -m analysis compare`: two traces beside each other."""

from __future__ import annotations

from pathlib import Path

import click

from analysis.commands.mapped import mapping_option, reader
from sim.commands.clock import DIFFERENCE, read_traces
from sim.commands.door import Number, console, json_option, print_json


@click.command()
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option("--tolerance", type=Number(min=0), metavar="SECONDS",
              help="Times less apart than this count as equal; default: 0, or a hundredth of the "
                   "shorter makespan where a run is measured.")
@mapping_option
@json_option
def compare(first: Path, second: Path, tolerance: float | None, mapping: Path | None,
            as_json: bool) -> None:
    """Two runs: order and versions equal or not, where they differ first, metrics beside.

    Each is a trace's file, or what a profiler wrote, as report takes it: so a plan is compared
    with what was measured of it.
    """
    from analysis.comparison.difference import difference
    from analysis.terminal.difference_table import difference_table

    with read_traces("comparing", [first, second], DIFFERENCE / 2, reader(mapping)) as (a, b):
        values = difference(a, b, tolerance)
    if as_json:
        print_json(values)
    else:
        ours, theirs = (first.name, second.name) if first.name != second.name else map(
            str, (first, second))
        console().print(difference_table(values, ours, theirs))
