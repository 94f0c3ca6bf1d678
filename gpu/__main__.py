"""The door of the torch backend: `python -m gpu run …`, also under torchrun."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, NoReturn

import click

from sim.door import experiment_argument, json_option, print_json

if TYPE_CHECKING:
    from sim.trace import Trace

SOON_S = 1.0  # what takes longer shows how far it is


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Run pipeline programs on real ResNet stages: CPU threads, GPUs, or ranks of torchrun."""


@main.command()
@experiment_argument
@click.option("--model", default="narrow", show_default=True, help="narrow, resnet50 or vgg16.")
@click.option("--devices", default="cpu,cpu", show_default=True,
              help="cpu,cpu or cuda:0,cuda:1 or cuda:0/2 (one GPU as two).")
@click.option("--image-size", type=click.IntRange(min=8), help="Side in pixels.")
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
        with _progress() as watch:
            return launch(Request(experiment, settings, devices, wanted, threads, not keep_going,
                                  out), watch)

    trace = _guarded(work)
    if trace is not None:
        values = summary(trace)
        print_json(values) if as_json else click.echo(_table(values))


@contextmanager
def _progress() -> Iterator[Callable[[int, int, float], None]]:
    """A bar on a terminal once a run takes more than a second."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
                  ) as progress:
        bar = progress.add_task("running", visible=False)
        yield lambda done, total, seconds: progress.update(
            bar, completed=done, total=total, visible=seconds > SOON_S)


def _guarded(work: Callable[[], Trace | None]) -> Trace | None:
    """Run `work`; a user's mistake ends with code 2, a failed run with 1, each in clear lines."""
    from gpu.errors import DeviceError, RankError, StageError
    from sim.configuration import ConfigurationError
    from sim.validate import InvalidProgramError

    try:
        return work()
    except ConfigurationError as error:
        _end(2, *error.problems)
    except (DeviceError, InvalidProgramError, OSError) as error:
        _end(2, str(error))
    except StageError as error:
        _end(1, str(error))
    except RankError as error:
        _end(1, str(error), now=True)
    except KeyboardInterrupt:
        _end(130, "interrupted; nothing was written", now=True)


def _end(code: int, *lines: str, now: bool = False) -> NoReturn:
    """Say what is wrong and exit.

    `now`, as ever in a distributed run, waits for no thread: one may be held by another rank.
    """
    rank = f"[rank {os.environ['RANK']}] " if "RANK" in os.environ else ""
    for line in lines:
        print(f"{rank}error: {line}", file=sys.stderr)
    if now or rank:
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


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
        with _counted(len(study.methods) * seeds) as done:
            found = investigate(study, specs, done)
        told = report(study, found, specs, _as_typed())
        click.echo(markdown(told))
        _written([*write(told, out), *_staleness_figures(told, found, out)])

    _guarded(work)


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
    from figures.style import as_csv
    from gpu.spread import write_text

    write_text(path, as_csv(rows))
    return path


@contextmanager
def _counted(total: int) -> Iterator[Callable[[], None]]:
    """A bar that the function given advances by one."""
    begun, count = perf_counter(), iter(range(1, total + 1))
    with _progress() as watch:
        yield lambda: watch(next(count, total), total, perf_counter() - begun)


def _as_typed() -> str:
    return shlex.join(["python", "-m", "gpu", *sys.argv[1:]])


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
        with _counted(plan.rounds) as done:
            found = perform(plan, done)
        told = report(plan, found, _as_typed())
        click.echo(markdown(told))
        _written([*write(told, asked.out), *_tutorial_figures(told, found, asked.out)])

    _guarded(work)


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
