"""`python -m gpu validate`: the simulator against the machine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpu.commands.cuts import OWN_CUT, AskedCut, asked_cut, cut_options
from gpu.commands.door import end, typed
from gpu.commands.options import devices_option, folder_option, graphs_option, size_option
from gpu.commands.prepared import prepared
from sim.commands.asked import program_option, said
from sim.commands.bars import estimated
from sim.commands.door import Number, console, experiment_argument

if TYPE_CHECKING:
    from gpu.distributed.launch import Given
    from gpu.errors import StageMemoryError
    from gpu.lanes.devices import DeviceSpec
    from gpu.runtime.settings import RunSettings
    from gpu.studies.validation.cases import Case
    from gpu.studies.validation.grid import Grid
    from sim.experiment.compared.validated import Validated
    from sim.experiment.options import Experiment
    from sim.order.program import Program

Bar = Callable[[int, float | None], AbstractContextManager[Callable[[], None]]]
MODEL, BATCH = "narrow", 16
GRID = ("none@sequential,none,stash,vertical-sync,spectrain,nwpt,i-timeprest,none@gpipe/4,"
        "none@1f1b/4,timeprest@nf1b/4,v-timeprest@nf1b/4,i-timeprest@nf1b/4")


@click.command()
@experiment_argument
@click.option("--model", help=f"narrow, resnet50, vgg16 or transformer [{MODEL}; the wide grid: "
              "resnet50 and vgg16].")
@devices_option
@size_option
@program_option
@cut_options
@graphs_option
@click.option("--grid", help="MITIGATION[:PARAMETER=VALUE][@SCHEDULE[/MICROBATCHES]] by commas, as "
              "`sim compare` takes them [on CPUs twelve; on GPUs the wide grid: every schedule and "
              "mitigation, ResNet-50 and VGG-16, two batch and image sizes, for nine minutes; "
              "with --program every mitigation].")
@click.option("--batch-sizes", help="Every run at each of these, e.g. 16,32.")
@click.option("--image-sizes", help="Every run at each of these, e.g. 32,64.")
@click.option("--repeats", type=click.IntRange(1, 10_000), default=3, show_default=True,
              help="Timed runs of each; the one with the median makespan counts.")
@click.option("--within", type=Number(0, min_open=True), metavar="SECONDS",
              help="Begin no run that would not be done by then [the wide grid: 480].")
@folder_option
def validate(experiment: Path | None, settings: tuple[str, ...], model: str | None, devices: str,
             image_size: int | None, program_file: Path | None, cut: str | None,
             plan: Path | None, graphs: str, grid: str | None, batch_sizes: str | None,
             image_sizes: str | None, repeats: int, within: float | None, out: Path | None
             ) -> None:
    """Profile, simulate, run and compare a grid of schedules and mitigations.

    Exits with 1 where order, versions or weights are not exactly the simulator's.
    """
    from analysis.validation.terminal import terminal
    from gpu.runtime.settings import RunSettings
    from gpu.studies.validation.grid import sizes

    asked = Asked(devices, grid, sizes("--batch-sizes", batch_sizes) or (),
                  sizes("--image-sizes", image_sizes) or (), repeats, within, out, typed(),
                  said(program_file), (model,) if model else (), asked_cut(cut, plan))
    report = validated(experiment, settings,
                       RunSettings(model or MODEL, image_size, graphs=graphs,
                                   cut=asked.cut.layers), asked, estimated, _warn)
    screen = console()
    for each in terminal(report, screen.width):
        screen.print(each)
    if not report["exact"]["passed"]:
        end(1, "the exact part failed: order, versions or weights are not the simulator's")


def _warn(line: str) -> None:
    """Tell who waits at a terminal; the report has it too, for everyone."""
    if sys.stderr.isatty():
        click.echo(f"warning: {line}", err=True)


@dataclass(frozen=True)
class Asked:
    """A validation as it was asked for: where, what, how often, and into which folder.

    Without a `grid` it is the usual one of these devices, or every mitigation on a `program` of the
    user's own; `networks` are those named (none: as the grid has them).  No run is begun that would
    not be done within `within_s` seconds (None: no limit); `command` is what the report says made
    it, and `cut` how the network is cut.
    """

    devices: str
    grid: str | None
    batch_sizes: Sequence[int]
    image_sizes: Sequence[int]
    repeats: int
    within_s: float | None
    out: Path | None
    command: str
    program: Given = None
    networks: Sequence[str] = ()
    cut: AskedCut = OWN_CUT

    @property
    def wide(self) -> bool:
        """Whether the grid is every order and mitigation there is, for a limited time."""
        return (self.grid is None and self.program is None and self.cut.layers is None
                and "cuda" in self.devices)


def validated(experiment: Path | Experiment | None, settings: tuple[str, ...],
              wanted: RunSettings, asked: Asked,
              bar: Bar = lambda total, within_s: nullcontext(lambda: None),
              warn: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """Validate the simulator against this machine: the report of it, as `report.json` has it.

    Everything is also written into `asked.out` where that is a folder; `bar` shows progress, `warn`
    is told at once of what will make the times worth less.
    Raises ConfigurationError, InvalidProgramError, DeviceError or OutputError before anything runs,
    StageError.
    """
    from analysis.validation.findings import others_load
    from analysis.validation.report import build
    from figures.bundles.validation import write as write_files
    from gpu.lanes.devices import open_lanes
    from gpu.profiling.machine import Machine
    from gpu.studies.validation import wide
    from gpu.studies.validation.cases import Bench
    from gpu.studies.validation.validate import validate as compare

    usual = {"minibatches": wide.MINIBATCHES} if asked.wide else {"minibatches": 24,
                                                                  "batch_size": BATCH}
    specs, resolved, program = prepared(experiment, settings, asked.devices, asked.out,
                                        asked.program, **usual, **asked.cut.keys)
    head = {**Machine.of(specs).head(), "command": asked.command, "repeats": asked.repeats}
    grid = grid_of(resolved, wanted, asked, specs, program)
    busy = others_load(head["load_before"], head["cores"])
    if busy is not None:
        warn(f"the machine is busy with other work: {busy}; times will be off by what that takes")
    limit = asked.within_s or (wide.WITHIN_S if asked.wide else None)
    failures: list[tuple[Case, StageMemoryError]] = []
    with bar(len(grid.cases), limit) as done:
        found = compare(grid.cases, Bench(specs, open_lanes(specs), repeats=asked.repeats), done,
                        limit or float("inf"),
                        lambda case, error: failures.append((case, error)))
    if not found:
        raise failures[0][1]
    large = [case for case, _ in failures]
    fitting = [case for case in grid.cases if all(case is not each for each in large)]
    refused = [*grid.refused, *(f"{case}, {case.settings.model}, batch "
                                f"{case.experiment.training.batch_size}: {error}"
                                for case, error in failures),
               *not_begun(fitting[len(found):], asked, len(grid.cases))]
    shown = _as_shown(fitting[:len(found)], found)
    report = build(shown, head, refused)
    if asked.out is not None:
        write_files(report, shown, asked.out)
    return report


def grid_of(resolved: Experiment, wanted: RunSettings, asked: Asked, specs: Sequence[DeviceSpec],
            program: Program | None) -> Grid:
    """The cases of what was asked for.  Raises ConfigurationError where none is left."""
    from gpu.studies.validation import wide
    from gpu.studies.validation.grid import Sizes, asked_rows, every_row
    from sim.experiment.compared.contender import contenders

    images = asked.image_sizes or (wanted.image_size,)
    batches = asked.batch_sizes or (resolved.training.batch_size,)
    if not asked.wide:
        names = asked.grid if asked.grid is not None else GRID if program is None else "all"
        return Sizes((wanted.model,), batches, images).cases(
            resolved, wanted, asked_rows(resolved, contenders(names), program))
    if not asked.image_sizes and wanted.image_size is None:
        images = wide.SIDES
    if not asked.batch_sizes and "batch_size" not in resolved.training.model_fields_set:
        batches = wide.BATCHES
    return Sizes(asked.networks or wide.NETWORKS, batches, images).cases(
        resolved, wanted, every_row(resolved, len(specs)))


def _as_shown(begun: Sequence[Case], found: Sequence[Validated]) -> list[Validated]:
    """The runs in the order of a report: by size, then by row."""
    return [each for _, each in sorted(zip(begun, found, strict=True),
                                       key=lambda pair: pair[0].place)]


def not_begun(left: Sequence[Case], asked: Asked, total: int) -> list[str]:
    """What the report says of the cases there was no time for."""
    if left and asked.wide:
        return [f"{len(left)} of {total} runs of the wide grid: no time left"]
    return [f"{case}: no time left" for case in left]
