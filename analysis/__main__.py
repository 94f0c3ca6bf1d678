"""The analyst's door: reports and exports of traces, theory, and advice for a profile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from analysis.exports import FORMATS
from sim.commands.door import Door, console, experiment_argument, json_option, print_json

TRACE = click.Path(path_type=Path)


def whole_numbers(_: click.Context, option: click.Parameter, text: str | None) -> tuple[int, ...]:
    """`1,2,4` as whole numbers; none where the option is not given."""
    from sim.errors import ConfigurationError

    try:
        return tuple(int(each) for each in text.split(",")) if text is not None else ()
    except ValueError:
        raise ConfigurationError([f"{option.opts[0]}: whole numbers by comma, e.g. 1,2,4, got "
                                  f"{text!r}"]) from None


@click.group(cls=Door, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Metrics, differences and exports of trace files; what theory says without a run."""


@main.command()
@click.argument("trace", type=TRACE)
@json_option
def report(trace: Path, as_json: bool) -> None:
    """Every metric of one trace; staleness that varies is shown as a distribution."""
    from analysis.metrics.report import report as metrics
    from analysis.terminal.tables import distribution_table, report_tables
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
    from analysis.comparison.difference import difference
    from analysis.terminal.tables import difference_table
    from sim.trace import Trace

    values = difference(Trace.load(first), Trace.load(second))
    if as_json:
        print_json(values)
    else:
        console().print(difference_table(values, first.name, second.name))


@main.command()
@click.argument("trace", type=TRACE)
@click.option("--format", "form", type=click.Choice(list(FORMATS)), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE")
def export(trace: Path, form: str, out: Path) -> None:
    """Write a trace for other tools: chrome opens in Perfetto, torch-csv in PyTorch."""
    from analysis.exports import export as content_of
    from sim.trace import Trace, atomic_file

    content = content_of(Trace.load(trace), form)
    with atomic_file(out) as file:
        file.write(content)
    click.echo(f"{out} written")


@main.command()
@click.option("--mitigation", default="stash", show_default=True)
@click.option("--delay", type=int, default=1, show_default=True, help="In updates.")
@click.option("--momentum", type=float, default=0.9, show_default=True)
@click.option("--convention", default="ema", show_default=True, help="ema or heavy-ball.")
@click.option("--horizon", type=float, default=None,
              help="Updates a prediction looks ahead.  [default: the delay]")
@click.option("--decay", type=float, default=None,
              help="Of the interpolation's share of stale weights.  [default: 1]")
@click.option("--grid", is_flag=True, help="Every mitigation, delay 0 to 7, momentum 0 and 0.9.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), default=None,
              metavar="FILE", help="Also write the rows as CSV.")
@json_option
def stability(grid: bool, out: Path | None, as_json: bool, **given: Any) -> None:
    """Largest stable ηλ on the quadratic: by root location, and as the simulator shows it."""
    from analysis.terminal.theory_tables import stability_table
    from analysis.theory.stability import delayed_training
    from sim.rows import rows_as_csv
    from sim.trace import atomic_file

    case = delayed_training(**given)
    if grid:
        _refuse_with_grid(given)
    rows = _grid() if grid else _one(case)
    if out is not None:
        with atomic_file(out) as file:
            file.write(rows_as_csv(rows).encode())
    if as_json:
        print_json(rows if grid else rows[0])
        return
    console().print(stability_table(rows))
    if out is not None:
        click.echo(f"{out} written")


def _refuse_with_grid(given: dict[str, Any]) -> None:
    """The grid has its own cases.  Raises ConfigurationError naming the options given."""
    from sim.errors import ConfigurationError

    context = click.get_current_context()
    extra = [f"--{name}" for name in given
             if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE]
    if extra:
        raise ConfigurationError([f"--grid has its own cases; leave out {', '.join(extra)}"])


def _one(case: Any) -> list[dict[str, Any]]:
    """One case, with a sign of life on standard error: a deep pipeline takes seconds."""
    from rich.console import Console

    from analysis.theory.measured_edge import measure
    from analysis.theory.stability import row

    with Console(stderr=True).status("measuring the edge"):
        return [row(case, *measure([case]))]


def _grid() -> list[dict[str, Any]]:
    """Every case of the full grid, with a progress bar on standard error."""
    from rich.console import Console
    from rich.progress import Progress

    from analysis.theory.stability import GRID, grid

    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("measuring edges", total=4 * len(GRID))
        return list(grid(done=lambda: progress.advance(bar)))


@main.command()
@experiment_argument
@json_option
def steady(experiment: Path | None, settings: tuple[str, ...], as_json: bool) -> None:
    """Throughput of an endless run without a run, and what to speed up."""
    from analysis.terminal.theory_tables import steady_tables
    from analysis.theory.endless import endless
    from sim.experiment.configuration import read_experiment

    found = endless(read_experiment(experiment, settings))
    if as_json:
        print_json(found)
        return
    screen = console()
    for each in steady_tables(found):
        screen.print(each)


@main.command()
@click.argument("profile", type=click.Path(path_type=Path))
@click.option("--memory-limit", type=float, required=True, metavar="BYTES",
              help="Of each device, e.g. 16e9.")
@click.option("--devices", type=int, required=True, help="One per stage of the profile.")
@click.option("--microbatches", callback=whole_numbers, metavar="A,B,…",
              help="Micro-batches per mini-batch to consider.  [default: 1,2,4,8]")
@click.option("--batch-size", "batch_sizes", callback=whole_numbers, metavar="A,B,…",
              help="Samples per mini-batch instead: multiples of the profile's microbatch_size.")
@click.option("--backward", type=click.Choice(["graph", "recompute", "both"]), default="both",
              show_default=True, help="Recompute keeps inputs alone and runs a stage again.")
@click.option("--state-copies", type=float, default=2.0, show_default=True,
              help="Arrays as large as the weights beside them: gradient and velocity.")
@click.option("--consistent", is_flag=True,
              help="Only where forward and backward read the same version (an interpolation "
                   "reads the stale one).")
@click.option("--all", "everything", is_flag=True, help="Also show what the front beats.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=None,
              metavar="DIR", help="Write an experiment per front point, the rows and a picture.")
@json_option
def advise(profile: Path, memory_limit: float, backward: str, everything: bool,
           out: Path | None, as_json: bool, **given: Any) -> None:
    """Schedules, mitigations and micro-batches worth a try for a measured profile."""
    from analysis.advice.advise import BACKWARDS, Question
    from analysis.terminal.advice_tables import advice_tables

    backwards = [each for each in BACKWARDS if backward in (each, "both")]
    advice = _advice(Question(profile, memory_limit, backwards=backwards, **given))
    written = [] if out is None else _write_advice(advice, out)
    if as_json:
        print_json(advice)
        return
    screen = console()
    for each in advice_tables(advice, everything):
        screen.print(each, markup=False)
    if written:
        click.echo(f"{len(written)} files written to {out}")


def _advice(question: Any) -> dict[str, Any]:
    """The answer, with a progress bar on standard error."""
    from rich.console import Console
    from rich.progress import Progress

    from analysis.advice.advise import advise as answer

    screen = Console(stderr=True)
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as progress:
        bar = progress.add_task("weighing up", total=None)
        return answer(question, lambda: progress.advance(bar))


def _write_advice(advice: dict[str, Any], out: Path) -> list[Path]:
    """Experiment files, `advice.json`, and the picture with its rows as CSV."""
    import json
    import shlex

    from analysis.advice.files import experiment_files
    from figures.origin import save
    from figures.pictures.advice import draw, flat
    from sim.trace import atomic_file

    files = experiment_files(advice)
    files["advice.json"] = json.dumps(advice, indent=2, allow_nan=False) + "\n"
    rows = flat(advice)
    figure = draw(rows)
    for name, content in files.items():
        with atomic_file(out / name) as file:
            file.write(content.encode())
    command = shlex.join(["python", "-m", "analysis", "advise", advice["profile"],
                          "--memory-limit", repr(advice["memory_limit_bytes"]),
                          "--devices", str(advice["devices"])])
    return [*(out / name for name in files), *save(figure, rows, out, "advice", command)]


if __name__ == "__main__":
    main(prog_name="python -m analysis")
