"""`python -m gpu validate`: the simulator against the machine."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from gpu.commands.guard import end, guarded, progress, typed
from gpu.commands.options import devices_option, folder_option, model_option, size_option
from gpu.commands.prepared import prepared
from sim.commands.door import experiment_argument

if TYPE_CHECKING:
    from gpu.commands.other_rooms import OtherRooms

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
@click.pass_obj
def validate(rooms: OtherRooms, experiment: Path | None, settings: tuple[str, ...], model: str,
             devices: str, image_size: int | None, grid: str, batch_sizes: str | None,
             image_sizes: str | None, repeats: int, within: float | None, out: Path | None
             ) -> None:
    """Profile, simulate, run and compare a grid of schedules and mitigations.

    Exits with 1 where order, versions or weights are not exactly the simulator's.
    """

    def work() -> dict[str, Any]:
        from gpu.profiling.machine import machine
        from gpu.runtime.assembly import RunSettings
        from gpu.runtime.devices import open_lanes
        from gpu.studies.validation import cases
        from gpu.studies.validation.validate import validate as compare

        specs, resolved = prepared(experiment, settings, devices, out, batch_size=16,
                                   minibatches=24)
        head = {**machine(specs), "command": typed(), "repeats": repeats}
        todo, refused = cases.grid(resolved, RunSettings(model, image_size),
                                   rooms.contenders(grid),
                                   cases.sizes("--batch-sizes", batch_sizes),
                                   cases.sizes("--image-sizes", image_sizes))
        with progress() as watch:
            began, done = perf_counter(), iter(range(1, len(todo) + 1))
            found = compare(todo, cases.Bench(specs, open_lanes(specs), repeats=repeats),
                            lambda: watch(next(done), len(todo), perf_counter() - began),
                            within or float("inf"))
        refused += [f"{case}: no time left" for case in todo[len(found):]]
        return rooms.validation(found, head, refused, out)

    report = guarded(work)
    click.echo(rooms.validation_page(report))
    if not report["exact"]["passed"]:
        end(1, "the exact part failed: order, versions or weights are not the simulator's")
