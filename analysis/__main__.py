"""The analyst's door: reports and exports of traces, theory, and advice for a profile."""

from __future__ import annotations

import click

from analysis.commands.advise import advise
from analysis.commands.compare import compare
from analysis.commands.drift import drift
from analysis.commands.export import export
from analysis.commands.measured import measured
from analysis.commands.partition import partition
from analysis.commands.report import report
from analysis.commands.schedule import schedule
from analysis.commands.stability import stability
from analysis.commands.steady import steady
from sim.commands.door import HELP, Door


@click.group(cls=Door, context_settings=HELP)
def main() -> None:
    """Metrics, differences and exports of trace files; what theory says without a run."""


for command in (report, compare, export, measured, stability, steady, partition, schedule,
                advise, drift):
    main.add_command(command)


if __name__ == "__main__":
    main(prog_name="python -m analysis")
