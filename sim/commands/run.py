"""`python -m sim run`: one experiment, its report and its trace."""

from __future__ import annotations

from pathlib import Path

import click

from sim.commands.asked import asked, program_option, say_hints
from sim.commands.bars import running
from sim.commands.door import console, experiment_argument, json_option, print_json
from sim.commands.outputs import OUT_FILE


@click.command()
@experiment_argument
@click.option("--engine", type=click.Choice(["auto", "simpy", "exact"]), default="auto",
              help="How times are computed, never what they are; auto is exact where the order "
                   "is fixed beforehand (static dispatch) and nothing slows anything else, "
                   "else simpy.")
@program_option
@click.option("--out", type=OUT_FILE, metavar="TRACE.npz",
              help="Write the trace here.")
@json_option
def run(experiment: Path | None, settings: tuple[str, ...], engine: str,
        program_file: Path | None, out: Path | None, as_json: bool) -> None:
    """Simulate one experiment (the default one without a file)."""
    from analysis.metrics.explained import whole_report
    from analysis.metrics.report import report
    from analysis.terminal.report_tables import report_tables
    from sim.experiment.run import run as simulate

    resolved, program = asked(experiment, settings, program_file)
    with running(resolved, program, engine) as watch:
        trace = simulate(resolved, program, watch=watch, engine=engine)
        if out is not None:
            trace.save(out)
        values = whole_report(trace) if as_json else report(trace)
    if as_json:
        print_json(values)
        return
    screen = console()
    for table in report_tables(values):
        screen.print(table)
    say_hints(screen, resolved, values)
    if out is not None:
        click.echo(f"trace written to {out}")
