"""The simulator's door: `python -m sim run | compare | timeline | sweep | list`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sim.door import Door, console, experiment_argument, json_option, number, print_json

if TYPE_CHECKING:
    from sim.configuration import Experiment


UPDATES_A_SECOND = 8000

program_option = click.option(
    "--program", "program_file", type=click.Path(path_type=Path), metavar="FILE",
    help="Run this program instead of a schedule's: our text form, or PyTorch's pipelining CSV "
         "(one mini-batch; --set minibatches=M repeats it).")


@click.group(cls=Door, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Simulate pipeline-parallel training and know which weights every pass used."""


@main.command()
@experiment_argument
@click.option("--engine", type=click.Choice(["auto", "simpy", "exact"]), default="auto",
              help="How times are computed, never what they are; auto is exact where the order "
                   "is fixed beforehand (static dispatch), else simpy.")
@program_option
@click.option("--out", type=click.Path(path_type=Path), metavar="TRACE.npz",
              help="Write the trace here.")
@json_option
def run(experiment: Path | None, settings: tuple[str, ...], engine: str,
        program_file: Path | None, out: Path | None, as_json: bool) -> None:
    """Simulate one experiment (the default one without a file)."""
    from analysis.report import report
    from sim.configuration import read_experiment
    from sim.experiment import run as simulate
    from sim.program_file import with_program

    resolved = read_experiment(experiment, settings)
    program = None
    if program_file is not None:
        resolved, program = with_program(resolved, program_file)
    with _progress(resolved) as watch:
        trace = simulate(resolved, program, watch=watch, engine=engine)
    if out is not None:
        trace.save(out)
    values = report(trace)
    if as_json:
        print_json(values)
    else:
        _print_report(values)
        if out is not None:
            click.echo(f"trace written to {out}")


@contextmanager
def _progress(experiment: Experiment) -> Iterator[Any]:
    """A progress bar over the updates of a training that takes more than about a second."""
    from rich.console import Console
    from rich.progress import Progress

    updates = experiment.pipeline.stages * experiment.pipeline.minibatches
    if experiment.training.task == "none" or updates < UPDATES_A_SECOND:
        yield None
        return
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("training", total=updates)
        yield lambda stage, version, weights: progress.advance(bar)


def _print_report(values: dict[str, Any]) -> None:
    from analysis.tables import report_tables

    screen = console()
    for table in report_tables(values):
        screen.print(table)


@main.command()
@experiment_argument
@click.option("--mitigations", default="all", show_default=True, metavar="A,B,…|all",
              help="Rows, e.g. none,stash,i-timeprest:decay=2@nf1b/7 "
                   "(parameters after colons, @SCHEDULE/MICROBATCHES).")
@click.option("--systems", default=None, metavar="A,B,…|all",
              help="Rows are systems by name instead, e.g. pipedream,i-timeprest:decay=2; "
                   "forward_s and backward_s are then those of a whole mini-batch.")
@click.option("--target", type=click.FloatRange(0, 1), default=None,
              help="Validation accuracy to reach, of systems.  [default: 0.9]")
@click.option("--seeds", type=click.IntRange(1, 1000), default=1, show_default=True,
              help="Seeds to average over, counted from training.seed.")
@json_option
def compare(experiment: Path | None, settings: tuple[str, ...], mitigations: str,
            systems: str | None, target: float | None, seeds: int, as_json: bool) -> None:
    """One table, a row per mitigation or system; one that is refused is a row with its reason."""
    from sim.configuration import ConfigurationError, read_experiment

    if systems is not None and mitigations != "all":
        raise ConfigurationError(["--systems, --mitigations: rows are one or the other"])
    if systems is None and target is not None:
        raise ConfigurationError(["--target: is of --systems"])
    resolved = read_experiment(experiment, (*settings, "pipeline.mitigation=none"))
    asked = range(resolved.training.seed, resolved.training.seed + seeds)
    if systems is None:
        rows, tables = _compare_mitigations(resolved, mitigations, asked)
    else:
        rows, tables = _compare_systems(resolved, systems, asked, target or 0.9)
    if as_json:
        print_json(rows)
        return
    for each in tables():
        console().print(each, markup=False)


Compared = tuple[list[dict[str, Any]], Callable[[], list[Any]]]


def _compare_mitigations(experiment: Experiment, names: str, seeds: range) -> Compared:
    from analysis.compare import contenders
    from analysis.compare import rows as compared
    from analysis.tables import comparison_tables

    chosen = contenders(names)
    with _counted("simulating", len(chosen) * len(seeds)) as done:
        rows = compared(experiment, chosen, seeds, done)
    return rows, lambda: comparison_tables(rows, experiment, len(seeds))


def _compare_systems(experiment: Experiment, names: str, seeds: range, target: float) -> Compared:
    from analysis.system_tables import system_tables
    from analysis.systems import entrants, system_row

    chosen = entrants(names)
    with _counted("simulating", len(chosen) * len(seeds)) as done:
        rows = [system_row(experiment, each, seeds, target, done) for each in chosen]
    return rows, lambda: system_tables(rows, experiment, len(seeds), target)


@contextmanager
def _counted(label: str, total: int) -> Iterator[Callable[[], None]]:
    """A progress bar on standard error; yields what advances it by one."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=total)
        yield lambda: progress.advance(task)


@main.command()
@experiment_argument
@click.option("--minibatch", type=int, metavar="I", help="Also print this one's round trip.")
@click.option("--labels", type=click.Choice(["time-unit", "updates"]), default=None,
              help="Version labels in the grid: W4 by SpecTrain's time unit, or v3 by updates "
                   "(default: time-unit on round-robin).")
@click.option("--from", "first", type=click.IntRange(0), metavar="COLUMN",
              help="First column of the grid to show.  [default: 0, or shortly before I]")
@click.option("--to", "last", type=click.IntRange(0), metavar="COLUMN",
              help="Last column to show.  [default: as many as the terminal is wide]")
@click.option("--column", "slot_s", type=click.FloatRange(0, min_open=True), metavar="SECONDS",
              help="Seconds of a column.  [default: a short pass]")
@program_option
@json_option
def timeline(experiment: Path | None, settings: tuple[str, ...], minibatch: int | None,
             labels: str | None, program_file: Path | None, as_json: bool, **grid: Any) -> None:
    """The pipeline in the papers' grid; with --minibatch, its round trip."""
    from analysis.tables import round_trip_table
    from analysis.timeline import as_json as passes_as_json
    from analysis.timeline import has_time_units, json_cells, round_trip
    from sim.configuration import ConfigurationError, read_experiment
    from sim.experiment import run as simulate
    from sim.program_file import with_program

    resolved, program = read_experiment(experiment, settings), None
    if program_file is not None:
        resolved, program = with_program(resolved, program_file)
    trace = simulate(resolved, program, training=False)
    units = has_time_units(trace)
    if labels == "time-unit" and not units:
        raise ConfigurationError(["--labels: time units are defined on round-robin with one "
                                  "micro-batch per mini-batch; choose updates"])
    labels = labels or ("time-unit" if units else "updates")
    try:
        passes = round_trip(trace, minibatch) if minibatch is not None else []
    except ValueError as error:
        raise ConfigurationError([f"--minibatch: {error}"]) from None
    if as_json:
        if set(grid.values()) != {None}:
            raise ConfigurationError(["--from, --to and --column choose what is drawn; --json "
                                      "has every pass"])
        print_json(passes_as_json(passes) if minibatch is not None else json_cells(trace))
        return
    screen = console()
    _print_grid(screen, trace, labels, minibatch=minibatch, **grid)
    if passes:
        screen.print(round_trip_table(passes, minibatch, trace))


def _print_grid(screen: Any, trace: Any, labels: str, **shown: Any) -> None:
    from analysis.grid import lay_out
    from analysis.grid_text import cut, legend, lines
    from sim.configuration import ConfigurationError

    try:
        grid = lay_out(trace, screen.width, labels, **shown)
    except ValueError as error:
        raise ConfigurationError([f"--from, --to: {error}"]) from None
    for line in lines(grid):
        screen.print(line, highlight=False, soft_wrap=True)
    for said in filter(None, (cut(grid), legend(grid))):
        screen.print(said, highlight=False, markup=False)


@main.command()
@click.argument("sweep", metavar="SWEEP.toml", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Journal and tables; a sweep begun there goes on.  [default: out/SWEEP]")
@click.option("--workers", type=click.IntRange(min=1), metavar="N",
              help="Processes of this machine.  [default: its cores]")
@click.option("--dask", metavar="ADDRESS", help="The workers of a running Dask cluster instead.")
@json_option
def sweep(sweep: Path, out: Path | None, workers: int | None, dask: str | None,
          as_json: bool) -> None:
    """Grid or random search over any keys; killed at any moment, the same command goes on."""
    from analysis.sweep.pool import cluster, processes
    from analysis.sweep.reading import read_sweep
    from analysis.sweep.run import run_sweep
    from sim.configuration import ConfigurationError

    if dask is not None and workers is not None:
        raise ConfigurationError(["--workers: the cluster of --dask has its own; give one of them"])
    asked = read_sweep(sweep)
    out = out or Path("out", sweep.stem)
    with _points(len(asked)) as progress:
        rows = run_sweep(asked, out, cluster(dask) if dask is not None else processes(workers),
                         progress)
    if as_json:
        print_json(rows)
    else:
        _print_sweep(rows, out)


@contextmanager
def _points(total: int) -> Iterator[Any]:
    """A bar on standard error: points done, failures, points a second, time left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[failed]} failed"),
               TextColumn("{task.fields[rate]} points/s"), TimeLeft())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("sweep", total=total, failed=0, rate="–")

        def progress(done: int, failed: int) -> None:
            speed = bar.tasks[0].speed
            bar.update(task, completed=done, failed=failed, rate=f"{speed:.1f}" if speed else "–")

        yield progress


def _print_sweep(rows: list[dict[str, Any]], out: Path) -> None:
    from analysis.sweep.tables import failures

    errors = failures(rows)
    click.echo(f"{len(rows)} points, {sum(count for _, count in errors)} failed; table.csv and "
               f"table.json in {out}")
    for error, count in errors[:10]:
        click.echo(f"failed {count} times: {error}")


@main.command(name="list")
@json_option
def list_(as_json: bool) -> None:
    """Schedules, mitigations, systems, ways workers combine, tasks: name, rule, source."""
    from dataclasses import fields

    from sim.mitigations import MITIGATIONS
    from sim.numeric import TASKS
    from sim.schedules import SCHEDULES
    from sim.systems import SYSTEMS
    from sim.workers import COMBINES

    listed: dict[str, list[dict[str, Any]]] = {
        kind: [{"name": each.name, "rule": each.rule, "source": each.source}
               for each in registry]
        for kind, registry in (("schedules", SCHEDULES), ("mitigations", MITIGATIONS),
                               ("systems", SYSTEMS), ("workers", COMBINES), ("tasks", TASKS))}
    parametrised: dict[str, list[Any]] = {"mitigations": [*MITIGATIONS], "workers": [*COMBINES]}
    for name, kinds in parametrised.items():
        for entry, kind in zip(listed[name], kinds, strict=True):
            entry["parameters"] = {f.name: f.default for f in fields(kind)}
    for entry, system in zip(listed["systems"], SYSTEMS, strict=True):
        entry["reading"] = system.reading
    listed["tasks"].append({"name": "none", "rule": "timing and versions alone", "source": "–"})
    if as_json:
        print_json(listed)
    else:
        _print_list(listed)


def _print_list(listed: dict[str, list[dict[str, Any]]]) -> None:
    from rich.markup import escape
    from rich.table import Table

    screen = console()
    for kind, entries in listed.items():
        table = Table(box=None, pad_edge=False, title=None, header_style="bold")
        table.add_column(kind, no_wrap=True)
        for column in ("rule", "source"):
            table.add_column(column, overflow="fold", ratio=1)
        for entry in entries:
            takes = "".join(f"\n{k} = {number(v)}" for k, v in entry.get("parameters", {}).items())
            choice = f"\n[choice] {entry['reading']}" if entry.get("reading") else ""
            table.add_row(entry["name"], escape(entry["rule"] + takes + choice),
                          escape(entry["source"]))
        screen.print(table)
        screen.print()


if __name__ == "__main__":
    main(prog_name="python -m sim")
