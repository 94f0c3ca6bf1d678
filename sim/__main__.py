"""The simulator's door: `python -m sim run | compare | timeline | sweep | list`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sim.door import Door, console, experiment_argument, json_option, number, print_json

if TYPE_CHECKING:
    from sim.configuration import Experiment
    from sim.program import Program


UPDATES_A_SECOND = 8000


@click.group(cls=Door, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Simulate pipeline-parallel training and know which weights every pass used."""


@main.command()
@experiment_argument
@click.option("--engine", type=click.Choice(["auto", "simpy"]), default="auto",
              help="How times are computed; auto is simpy.")
@click.option("--program", "program_file", type=click.Path(path_type=Path), metavar="FILE",
              help="Run this program (text form) instead of a schedule's.")
@click.option("--out", type=click.Path(path_type=Path), metavar="TRACE.npz",
              help="Write the trace here.")
@json_option
def run(experiment: Path | None, settings: tuple[str, ...], engine: str,
        program_file: Path | None, out: Path | None, as_json: bool) -> None:
    """Simulate one experiment (the default one without a file)."""
    from analysis.report import report
    from sim.configuration import read_experiment
    from sim.experiment import run as simulate

    resolved = read_experiment(experiment, settings)
    program = None
    if program_file is not None:
        resolved, program = _with_program(resolved, program_file)
    with _progress(resolved) as watch:
        trace = simulate(resolved, program, watch=watch)
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


def _with_program(experiment: Experiment, path: Path) -> tuple[Experiment, Program]:
    """A program file, and the experiment reshaped to it.  Raises InvalidProgramError."""
    from sim.configuration import resolve
    from sim.program import Program
    from sim.validate import InvalidProgramError

    try:
        program = Program.parse(path.read_text(encoding="utf-8")).validate()
    except UnicodeDecodeError:
        raise InvalidProgramError(f"{path}: not a UTF-8 text file") from None
    except InvalidProgramError as error:
        raise InvalidProgramError(f"{path}: {error.rule}", error.table) from None
    document = experiment.model_dump(mode="python", exclude_unset=True)
    document.setdefault("pipeline", {}).update(
        schedule="file", stages=program.shape.stages, minibatches=program.shape.minibatches,
        microbatches=program.shape.microbatches)
    return resolve(document), program


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
@click.option("--seeds", type=click.IntRange(1, 1000), default=1, show_default=True,
              help="Seeds to average over, counted from training.seed.")
@json_option
def compare(experiment: Path | None, settings: tuple[str, ...], mitigations: str, seeds: int,
            as_json: bool) -> None:
    """One table, a row per mitigation; one that is refused is a row with its reason."""
    from rich.console import Console
    from rich.progress import Progress

    from analysis.compare import contenders
    from analysis.compare import rows as compared
    from analysis.tables import comparison_tables
    from sim.configuration import read_experiment

    chosen = contenders(mitigations)
    resolved = read_experiment(experiment, (*settings, "pipeline.mitigation=none"))
    first = resolved.training.seed
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("simulating", total=len(chosen) * seeds)
        rows = compared(resolved, chosen, range(first, first + seeds),
                        lambda: progress.advance(task))
    if as_json:
        print_json(rows)
    else:
        for each in comparison_tables(rows, resolved, seeds):
            console().print(each, markup=False)


@main.command()
@experiment_argument
@click.option("--minibatch", type=int, metavar="I", help="Also print this one's round trip.")
@click.option("--labels", type=click.Choice(["time-unit", "updates"]), default=None,
              help="Version labels in the grid: W4 by SpecTrain's time unit, or v3 by updates "
                   "(default: time-unit on round-robin).")
@json_option
def timeline(experiment: Path | None, settings: tuple[str, ...], minibatch: int | None,
             labels: str | None, as_json: bool) -> None:
    """The pipeline in the papers' grid; with --minibatch, its round trip."""
    from analysis.tables import round_trip_table
    from analysis.timeline import as_json as passes_as_json
    from analysis.timeline import has_time_units, json_cells, round_trip
    from sim.configuration import ConfigurationError, read_experiment
    from sim.experiment import run as simulate

    trace = simulate(read_experiment(experiment, settings), training=False)
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
        print_json(passes_as_json(passes) if minibatch is not None else json_cells(trace))
        return
    screen = console()
    _print_grid(screen, trace, labels, passes)
    if passes:
        screen.print(round_trip_table(passes, minibatch, trace))


def _print_grid(screen: Any, trace: Any, labels: str, passes: list[Any]) -> None:
    from analysis.timeline import grid, legend, slot_s

    first = 0
    if passes:
        first = max(0, round(passes[0].start_s / slot_s(trace)) - 2 * trace.shape.stages)
    for line in grid(trace, screen.width, labels, first):
        screen.print(line, highlight=False, markup=False, soft_wrap=True)
    screen.print(legend(trace, labels, first), highlight=False, markup=False)


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
    """Schedules, mitigations and tasks: name, one-line rule, source."""
    from dataclasses import fields

    from sim.mitigations import MITIGATIONS
    from sim.numeric import TASKS
    from sim.schedules import SCHEDULES

    listed: dict[str, list[dict[str, Any]]] = {
        kind: [{"name": each.name, "rule": each.rule, "source": each.source}
               for each in registry]
        for kind, registry in (("schedules", SCHEDULES), ("mitigations", MITIGATIONS),
                               ("tasks", TASKS))}
    for entry, kind in zip(listed["mitigations"], MITIGATIONS, strict=True):
        entry["parameters"] = {f.name: f.default for f in fields(kind)}
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
            table.add_row(entry["name"], escape(entry["rule"] + takes), escape(entry["source"]))
        screen.print(table)
        screen.print()


if __name__ == "__main__":
    main(prog_name="python -m sim")
