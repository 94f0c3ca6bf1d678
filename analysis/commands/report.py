"""`python -m analysis report`: every metric of one trace."""

from __future__ import annotations

from pathlib import Path

import click

from analysis.commands.mapped import mapping_option, reader
from sim.commands.clock import REPORT, read_traces
from sim.commands.door import console, json_option, print_json


@click.command()
@click.argument("trace", type=click.Path(path_type=Path))
@mapping_option
@json_option
def report(trace: Path, mapping: Path | None, as_json: bool) -> None:
    """Every metric of one trace, and what devices waited for while they stood idle.

    Staleness that varies is shown as a distribution.  TRACE is a trace's file, or what a profiler
    wrote: a Chrome trace (.json, .json.gz) or a folder with one of each rank.
    """
    from analysis.metrics.explained import whole_report
    from analysis.terminal.explained.idle_tables import idle_tables
    from analysis.terminal.report_tables import distribution_table, report_tables

    with read_traces("working out the report", [trace], REPORT, reader(mapping)) as (loaded,):
        values = whole_report(loaded)
    if as_json:
        print_json(values)
        return
    screen = console()
    for table in [*report_tables(values), *distribution_table(values),
                  *idle_tables(values["idle"])]:
        screen.print(table)
