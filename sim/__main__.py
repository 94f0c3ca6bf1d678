"""The simulator's door: `python -m sim run | compare | timeline | sweep | list`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sim.commands.bars import counted, points
from sim.commands.compare import compare
from sim.commands.door import Door
from sim.commands.listing import list_
from sim.commands.run import run
from sim.commands.sweep import sweep
from sim.commands.timeline import timeline

if TYPE_CHECKING:
    from sim.commands.other_rooms import OtherRooms, Rows, Tables, TimelineView
    from sim.experiment.options import Experiment
    from sim.trace import Trace


class Rooms:
    """`OtherRooms` as they are, which is the analysis room; imported when a command asks."""

    def report(self, trace: Trace) -> tuple[dict[str, Any], Tables]:
        from analysis.metrics.report import report
        from analysis.terminal.tables import report_tables

        values = report(trace)
        return values, lambda: report_tables(values)

    def mitigations(self, experiment: Experiment, names: str, seeds: range) -> tuple[Rows, Tables]:
        from analysis.comparison.compare import contenders
        from analysis.comparison.compare import rows as compared
        from analysis.terminal.tables import comparison_tables

        chosen = contenders(names)
        with counted("simulating", len(chosen) * len(seeds)) as done:
            rows = compared(experiment, chosen, seeds, done)
        return rows, lambda: comparison_tables(rows, experiment, len(seeds))

    def systems(self, experiment: Experiment, names: str, seeds: range, target: float
                ) -> tuple[Rows, Tables]:
        from analysis.comparison.systems import entrants, system_row
        from analysis.terminal.system_tables import system_tables

        chosen = entrants(names)
        with counted("simulating", len(chosen) * len(seeds)) as done:
            rows = [system_row(experiment, each, seeds, target, done) for each in chosen]
        return rows, lambda: system_tables(rows, experiment, len(seeds), target)

    def timeline(self, trace: Trace, minibatch: int | None, labels: str | None) -> TimelineView:
        from analysis.terminal.timeline_view import TimelineView

        return TimelineView.of(trace, minibatch, labels)

    def sweep(self, file: Path, out: Path, workers: int | None, dask: str | None
              ) -> tuple[Rows, list[tuple[str, int]]]:
        from analysis.sweep.pool import cluster, processes
        from analysis.sweep.reading import read_sweep
        from analysis.sweep.run import run_sweep
        from analysis.sweep.tables import failures

        asked = read_sweep(file)
        with points(len(asked)) as progress:
            rows = run_sweep(asked, out, processes(workers) if dask is None else cluster(dask),
                             progress)
        return rows, failures(rows)


ROOMS: OtherRooms = Rooms()


@click.group(cls=Door, context_settings={"help_option_names": ["-h", "--help"], "obj": ROOMS})
def main() -> None:
    """Simulate pipeline-parallel training and know which weights every pass used."""


for command in (run, compare, timeline, sweep, list_):
    main.add_command(command)


if __name__ == "__main__":
    main(prog_name="python -m sim")
