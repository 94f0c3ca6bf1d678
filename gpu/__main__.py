"""The door of the torch backend: `python -m gpu run | profile | validate | measure …`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from gpu.guard import counted, end, guarded, progress, typed
from sim.door import experiment_argument, json_option, print_json

if TYPE_CHECKING:
    from gpu.devices import DeviceSpec
    from sim.configuration import Experiment
    from sim.trace import Trace

GRID = ("none@sequential,none,stash,vertical-sync,spectrain,nwpt,i-timeprest,none@gpipe/4,"
        "none@1f1b/4,timeprest@nf1b/4,v-timeprest@nf1b/4,i-timeprest@nf1b/4")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Run pipeline programs on real ResNet stages: CPU threads, GPUs, or ranks of torchrun."""


devices_option = click.option("--devices", default="cpu,cpu", show_default=True,
                              help="cpu,cpu or cuda:0,cuda:1 or cuda:0/2 (one GPU as two).")
model_option = click.option("--model", default="narrow", show_default=True,
                            help="narrow, resnet50 or vgg16.")
size_option = click.option("--image-size", type=click.IntRange(min=8), help="Side in pixels.")
folder_option = click.option("--out", type=click.Path(file_okay=False, path_type=Path),
                             metavar="DIR", help="Write everything into this folder.")


@main.command()
@experiment_argument
@model_option
@devices_option
@size_option
@click.option("--classes", type=click.IntRange(min=2), help="Classes of the synthetic images.")
@click.option("--loss", type=click.Choice(["cross-entropy", "mse"]), default="cross-entropy")
@click.option("--optimizer", type=click.Choice(["momentum", "adam"]), default="momentum")
@click.option("--dtype", type=click.Choice(["float32", "float64"]), default="float32")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True,
              help="Threads of one CPU operation; results differ with their number.")
@click.option("--keep-going", is_flag=True, help="Record a divergence instead of stopping at it.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="TRACE.npz",
              help="Write the trace here.")
@json_option
def run(experiment: Path | None, settings: tuple[str, ...], model: str, devices: str,
        image_size: int | None, classes: int | None, loss: str, optimizer: Any, dtype: str,
        threads: int, keep_going: bool, out: Path | None, as_json: bool) -> None:
    """Execute one experiment on real stages and write its trace.

    Without pipeline.stages in the experiment there are as many stages as devices.  Under
    torchrun every rank is a device and rank 0 writes.
    """

    def work() -> Trace | None:
        from gpu.assembly import RunSettings
        from gpu.launch import Request, launch

        wanted = RunSettings(model, image_size, classes, loss, optimizer, dtype)
        with progress() as watch:
            return launch(Request(experiment, settings, devices, wanted, threads, not keep_going,
                                  out), watch)

    trace = guarded(work)
    if trace is not None:
        values = summary(trace)
        print_json(values) if as_json else click.echo(_table(values))


@main.command()
@experiment_argument
@model_option
@devices_option
@size_option
@folder_option
def profile(experiment: Path | None, settings: tuple[str, ...], model: str, devices: str,
            image_size: int | None, out: Path | None) -> None:
    """Measure the stages of one experiment; profile.json is for `costs.profile` of `sim`.

    Seconds of every stage alone and beside busy neighbours, bytes, latency and bandwidth.
    """

    def work() -> str:
        from gpu.assembly import RunSettings
        from gpu.profile import profile as measured_profile
        from gpu.profile_text import table
        from sim.profile import write_profile

        specs, resolved = _prepared(experiment, settings, devices, out, batch_size=16)
        measured = measured_profile(resolved, RunSettings(model, image_size), specs,
                                    _lanes(specs))
        if out is None:
            return table(measured)
        write_profile(measured, out / "profile.json")
        return f"{table(measured)}\n{out / 'profile.json'} written"

    click.echo(guarded(work))


@main.command()
@experiment_argument
@model_option
@devices_option
@size_option
@click.option("--grid", default=GRID, help="MITIGATION[:PARAMETER=VALUE][@SCHEDULE[/MICROBATCHES]]"
              " by commas, as `sim compare` takes them; default: twelve of them.")
@click.option("--batch-sizes", help="Every run at each of these, e.g. 16,32.")
@click.option("--image-sizes", help="Every run at each of these, e.g. 32,64.")
@click.option("--repeats", type=click.IntRange(min=1), default=3, show_default=True,
              help="Timed runs of each; the one with the median makespan counts.")
@click.option("--within", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
              help="Begin no run that would not be done by then.")
@folder_option
def validate(experiment: Path | None, settings: tuple[str, ...], model: str, devices: str,
             image_size: int | None, grid: str, batch_sizes: str | None, image_sizes: str | None,
             repeats: int, within: float | None, out: Path | None) -> None:
    """Profile, simulate, run and compare a grid of schedules and mitigations.

    Exits with 1 where order, versions or weights are not exactly the simulator's.
    """

    def work() -> dict[str, Any]:
        from analysis.compare import contenders
        from analysis.validation_report import build
        from figures.validation_files import write
        from gpu import cases
        from gpu.assembly import RunSettings
        from gpu.machine import machine
        from gpu.validate import validate as compare

        specs, resolved = _prepared(experiment, settings, devices, out, batch_size=16,
                                    minibatches=24)
        head = {**machine(specs), "command": typed(), "repeats": repeats}
        todo, refused = cases.grid(resolved, RunSettings(model, image_size), contenders(grid),
                                   cases.sizes("--batch-sizes", batch_sizes),
                                   cases.sizes("--image-sizes", image_sizes))
        with progress() as watch:
            began, done = perf_counter(), iter(range(1, len(todo) + 1))
            found = compare(todo, cases.Bench(specs, _lanes(specs), repeats=repeats),
                            lambda: watch(next(done), len(todo), perf_counter() - began),
                            within or float("inf"))
        refused += [f"{case}: no time left" for case in todo[len(found):]]
        report = build(found, head, refused)
        if out is not None:
            write(report, found, out)
        return report

    report = guarded(work)
    from analysis.validation_text import markdown

    click.echo(markdown(report))
    if not report["exact"]["passed"]:
        end(1, "the exact part failed: order, versions or weights are not the simulator's")


@main.command()
@devices_option
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path),
              metavar="DIR", help="A folder named after the machine.")
def measure(devices: str, out: Path) -> None:
    """Profile and validate in at most nine minutes, every step under a cap of its own."""

    def work() -> list[Any]:
        from gpu.measure import execute, page, steps
        from sim.trace import atomic_file

        _prepared(None, (), devices, out)
        outcomes = execute(steps(devices, out), lambda line: click.echo(line, err=True))
        with atomic_file(out / "README.md") as file:
            file.write(page(outcomes, out.name, typed()).encode())
        return outcomes

    if any(outcome.code != 0 for outcome in guarded(work)):
        end(1, f"not every step succeeded; {out}/README.md says which")


def _prepared(experiment: Path | None, settings: tuple[str, ...], devices: str, out: Path | None,
              **otherwise: int) -> tuple[list[DeviceSpec], Experiment]:
    """Devices that are there and an experiment that fits them, before anything is measured."""
    from gpu.determinism import exact
    from gpu.devices import check_devices, parse_devices
    from gpu.launch import check_out, experiment_for

    exact()
    specs = parse_devices(devices)
    resolved = experiment_for(experiment, settings, len(specs), **otherwise)
    check_devices(specs, resolved.shape.devices)
    check_out(out / "report.json" if out else None)
    return specs, resolved


def _lanes(specs: Sequence[DeviceSpec]) -> Any:
    from gpu.devices import open_lanes

    return open_lanes(specs)


def summary(trace: Trace) -> dict[str, Any]:
    """The analysis room's report, and what only a run on real devices has to say."""
    from analysis.report import report

    gpu = trace.header["gpu"]
    return {**report(trace), "model": gpu["settings"]["model"], "devices": gpu["devices"],
            **{name: gpu[name] for name in ("threads", "launch_bound_fraction",
                                            "clock_residual_s", "weights_sha256")}}


def _table(values: dict[str, Any]) -> str:
    """The plain numbers; the nested ones are in the JSON and the trace."""
    shown = {name: value for name, value in values.items() if not isinstance(value, dict)}
    width = max(map(len, shown))
    return "\n".join(f"{name:{width}}  {value}" for name, value in shown.items())


@main.command()
@experiment_argument
@click.option("--model", default="narrow", show_default=True, help="narrow, resnet50 or vgg16.")
@click.option("--devices", default="cpu,cpu,cpu,cpu", show_default=True, help="One a stage.")
@click.option("--data", metavar="DIR", help="Image folder or CIFAR-10 files [synthetic images].")
@click.option("--limit", type=click.IntRange(min=1), help="Train on at most so many images of it.")
@click.option("--image-size", type=click.IntRange(min=8), help="Side in pixels.")
@click.option("--noise", type=click.FloatRange(min=0), default=2.0, show_default=True,
              help="Of the synthetic images; a class's pattern has deviation 1.")
@click.option("--mitigations", metavar="a,b,…", help="Only these [all].")
@click.option("--seeds", type=click.IntRange(1, 100), default=3, show_default=True)
@click.option("--target", type=click.FloatRange(0, 1), default=0.95, show_default=True,
              help="Validation accuracy to say the way to.")
@click.option("--timing/--no-timing", default=True, help="Also run every method for its seconds.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("out"),
              show_default=True, help="Folder for JSON, Markdown, CSV and figures.")
def staleness(experiment: Path | None, settings: tuple[str, ...], model: str, devices: str,
              data: str | None, limit: int | None, image_size: int | None, noise: float,
              mitigations: str | None, seeds: int, target: float, timing: bool, threads: int,
              out: Path) -> None:
    """Which weights every pass of a real network used, stale beside predicted, and its curves."""

    def work() -> None:
        from gpu.assembly import RunSettings
        from gpu.staleness import investigate
        from gpu.staleness_report import markdown, report, write
        from gpu.study import StudyRequest, prepare

        wanted = RunSettings(model, image_size, data=data, limit=limit, noise=noise)
        study, specs = prepare(StudyRequest(experiment, settings, devices, wanted, mitigations,
                                            seeds, target, timing, threads, out))
        with counted(len(study.methods) * seeds) as done:
            found = investigate(study, specs, done)
        told = report(study, found, specs, typed())
        click.echo(markdown(told))
        _written([*write(told, out), *_staleness_figures(told, found, out)])

    guarded(work)


def _staleness_figures(told: dict[str, Any], found: Any, out: Path) -> list[Path]:
    from figures import network, prediction
    from figures.style import save
    from gpu.spread import plural

    title = (f"{told['model']}, {told['settings']['stages']} stages, {told['data']} images, "
             f"{plural(len(told['seeds']), 'seed')}")
    pictures = [
        (network.draw_distances(found.distances, title), found.distances, "distances"),
        (network.draw_curves(found.curves, title, told["target_accuracy"]), found.curves,
         "curves")]
    if found.prediction:
        pictures.append((prediction.draw(found.prediction, title), found.prediction,
                         "prediction"))
    paths = [path for figure, rows, name in pictures
             for path in save(figure, rows, out, name, told["command"])]
    return [*paths, save_rows(found.targets, out / "targets.csv")]


def save_rows(rows: list[dict[str, Any]], path: Path) -> Path:
    """Rows as CSV."""
    from analysis.export import rows_as_csv
    from gpu.spread import write_text

    write_text(path, rows_as_csv(rows))
    return path


def _written(paths: list[Path]) -> None:
    for path in paths:
        click.echo(f"{path} written")


@main.command()
@click.option("--devices", default="cpu,cpu", show_default=True,
              help="cpu,cpu or cuda:0,cuda:1 or cuda:0/2; the first is the single one.")
@click.option("--full", is_flag=True, help="The tutorial's ResNet-50, 120 images of 128x128.")
@click.option("--model", help="narrow, resnet50 or vgg16 [narrow; full: resnet50].")
@click.option("--image-size", type=click.IntRange(min=8), help="Side in pixels [128].")
@click.option("--batch-size", type=click.IntRange(min=1), help="Images of a mini-batch [120].")
@click.option("--splits", metavar="N,N,…", help="Images of a micro-batch [the tutorial's].")
@click.option("--repeats", type=click.IntRange(min=1), help="[5; full: 10]")
@click.option("--epochs", type=click.IntRange(min=1), default=6, show_default=True)
@click.option("--seeds", type=click.IntRange(1, 100), default=3, show_default=True)
@click.option("--data", metavar="DIR", help="Image folder or CIFAR-10 files for the training.")
@click.option("--limit", type=click.IntRange(min=1), help="Train on at most so many images of it.")
@click.option("--noise", type=click.FloatRange(min=0), default=2.0, show_default=True,
              help="Of the synthetic images.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("out"),
              show_default=True, help="Folder for JSON, Markdown, CSV and figures.")
def tutorial(**options: Any) -> None:
    """Single device, model parallel, pipelined by split size; then with and without NWPT."""

    def work() -> None:
        from gpu.tutorial import Asked, perform, prepare
        from gpu.tutorial_report import markdown, report, write

        asked = Asked(**options)
        plan = prepare(asked)
        with counted(plan.rounds) as done:
            found = perform(plan, done)
        told = report(plan, found, typed())
        click.echo(markdown(told))
        _written([*write(told, asked.out), *_tutorial_figures(told, found, asked.out)])

    guarded(work)


def _tutorial_figures(told: dict[str, Any], found: Any, out: Path) -> list[Path]:
    from figures import network, tutorial
    from figures.style import save
    from gpu.spread import plural

    s, learnt = told["setting"], told["look_ahead"]["setting"]
    size = "reduced setting: " if told["reduced"] else ""
    title = (f"{size}{s['model']}, batch {s['batch_size']}, 3×{s['image_size']}×{s['image_size']}, "
             f"{s['minibatches']} mini-batches, {', '.join(told['machine']['devices'])}")
    course = (f"{size}{s['model']}, batch {learnt['batch_size']}, {learnt['epochs']} epochs, "
              f"{plural(len(learnt['seeds']), 'seed')}")
    pictures = [
        (tutorial.draw(found.timing, s["shown"], title), found.timing, "split_sizes"),
        (network.draw_curves(found.curves, course, None, "epoch", "epoch", tutorial.LOOK_AHEAD),
         found.curves, "look_ahead"),
        (tutorial.draw_totals(found.totals, course), found.totals, "look_ahead_time")]
    return [path for figure, rows, name in pictures
            for path in save(figure, rows, out, name, told["command"])]


if __name__ == "__main__":
    main(prog_name="python -m gpu")
