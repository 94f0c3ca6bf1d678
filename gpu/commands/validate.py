"""`python -m gpu validate`: the simulator against the machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpu.commands.door import end, typed
from gpu.commands.options import devices_option, folder_option, model_option, size_option
from gpu.commands.prepared import prepared
from sim.commands.bars import counted_later
from sim.commands.door import experiment_argument

if TYPE_CHECKING:
    from gpu.runtime.assembly import RunSettings
    from sim.experiment.options import Experiment

Bar = Callable[[int], AbstractContextManager[Callable[[], None]]]
GRID = ("none@sequential,none,stash,vertical-sync,spectrain,nwpt,i-timeprest,none@gpipe/4,"
        "none@1f1b/4,timeprest@nf1b/4,v-timeprest@nf1b/4,i-timeprest@nf1b/4")


@click.command()
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
def validate(experiment: Path | None, settings: tuple[str, ...], model: str,
             devices: str, image_size: int | None, grid: str, batch_sizes: str | None,
             image_sizes: str | None, repeats: int, within: float | None, out: Path | None
             ) -> None:
    """Profile, simulate, run and compare a grid of schedules and mitigations.

    Exits with 1 where order, versions or weights are not exactly the simulator's.
    """
    from analysis.validation.text import markdown
    from gpu.runtime.assembly import RunSettings
    from gpu.studies.validation.cases import sizes

    asked = Asked(devices, grid, sizes("--batch-sizes", batch_sizes) or (),
                  sizes("--image-sizes", image_sizes) or (), repeats, within, out, typed())
    report = validated(experiment, settings, RunSettings(model, image_size), asked, counted_later)
    click.echo(markdown(report))
    if not report["exact"]["passed"]:
        end(1, "the exact part failed: order, versions or weights are not the simulator's")


@dataclass(frozen=True)
class Asked:
    """A validation as it was asked for: where, what, how often, and into which folder.

    No run is begun that would not be done within `within_s` seconds (None: no limit); `command`
    is what the report says made it.
    """

    devices: str
    grid: str
    batch_sizes: Sequence[int]
    image_sizes: Sequence[int]
    repeats: int
    within_s: float | None
    out: Path | None
    command: str


def validated(experiment: Path | Experiment | None, settings: tuple[str, ...],
              wanted: RunSettings, asked: Asked, bar: Bar = lambda total: nullcontext(lambda: None)
              ) -> dict[str, Any]:
    """Validate the simulator against this machine: the report of it, as `report.json` has it.

    Everything is also written into `asked.out` where that is a folder; `bar` shows progress.
    Raises ConfigurationError, DeviceError or OutputError before anything runs, StageError.
    """
    from analysis.validation.report import build
    from figures.bundles.validation import write as write_files
    from gpu.lanes.devices import open_lanes
    from gpu.profiling.machine import Machine
    from gpu.studies.validation import cases
    from gpu.studies.validation.validate import validate as compare
    from sim.experiment.compared.contender import contenders

    specs, resolved = prepared(experiment, settings, asked.devices, asked.out, batch_size=16,
                               minibatches=24)
    head = {**Machine.of(specs).head(), "command": asked.command, "repeats": asked.repeats}
    todo, refused = cases.grid(resolved, wanted, contenders(asked.grid), asked.batch_sizes,
                               asked.image_sizes)
    with bar(len(todo)) as done:
        found = compare(todo, cases.Bench(specs, open_lanes(specs), repeats=asked.repeats), done,
                        asked.within_s or float("inf"))
    refused += [f"{case}: no time left" for case in todo[len(found):]]
    report = build(found, head, refused)
    if asked.out is not None:
        write_files(report, found, asked.out)
    return report
