"""The analyst's door: `python -m analysis report | compare | export`."""

from __future__ import annotations

from pathlib import Path

import click

from sim.door import Door, console, json_option, print_json

TRACE = click.Path(path_type=Path)


@click.group(cls=Door, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Metrics, differences and exports of trace files."""


@main.command()
@click.argument("trace", type=TRACE)
@json_option
def report(trace: Path, as_json: bool) -> None:
    """Every metric of one trace; staleness that varies is shown as a distribution."""
    from analysis.report import report as metrics
    from analysis.tables import distribution_table, report_tables
    from sim.trace import Trace

    values = metrics(Trace.load(trace))
    if as_json:
        print_json(values)
        return
    screen = console()
    for table in report_tables(values) + distribution_table(values):
        screen.print(table)


@main.command()
@click.argument("first", type=TRACE)
@click.argument("second", type=TRACE)
@json_option
def compare(first: Path, second: Path, as_json: bool) -> None:
    """Two traces: order and versions equal or not, and metrics side by side."""
    from analysis.difference import difference
    from analysis.tables import difference_table
    from sim.trace import Trace

    values = difference(Trace.load(first), Trace.load(second))
    if as_json:
        print_json(values)
    else:
        console().print(difference_table(values, first.name, second.name))


@main.command()
@click.argument("trace", type=TRACE)
@click.option("--format", "form", type=click.Choice(["csv"]), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE")
def export(trace: Path, form: str, out: Path) -> None:
    """Write a trace for other tools."""
    from analysis.export import FORMATS
    from sim.trace import Trace, atomic_file

    content = FORMATS[form](Trace.load(trace))
    with atomic_file(out) as file:
        file.write(content)
    click.echo(f"{out} written")


if __name__ == "__main__":
    main(prog_name="python -m analysis")
