"""`python -m analysis compare`: two traces beside each other."""

from __future__ import annotations

from pathlib import Path

import click

from sim.commands.clock import DIFFERENCE, read_traces
from sim.commands.door import console, json_option, print_json


@click.command()
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@json_option
def compare(first: Path, second: Path, as_json: bool) -> None:
    """Two traces: order and versions equal or not, where they differ first, metrics beside."""
    from analysis.comparison.difference import difference
    from analysis.terminal.difference_table import difference_table

    with read_traces("comparing", [first, second], DIFFERENCE / 2) as traces:
        values = difference(*traces)
    if as_json:
        print_json(values)
    else:
        ours, theirs = (first.name, second.name) if first.name != second.name else map(
            str, (first, second))
        console().print(difference_table(values, ours, theirs))
