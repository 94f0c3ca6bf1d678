"""`python -m gpu validate`: the simulator against the machine."""

from __future__ import annotations

from pathlib import Path

import click

from gpu.commands.door import end, typed
from gpu.commands.options import devices_option, folder_option, model_option, size_option
from gpu.commands.prepared import prepared
from sim.commands.bars import counted_later
from sim.commands.door import experiment_argument

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
    from analysis.validation.report import build
    from analysis.validation.text import markdown
    from figures.bundles import validation_files
    from gpu.profiling.machine import machine
    from gpu.runtime.assembly import RunSettings
    from gpu.runtime.devices import open_lanes
    from gpu.studies.validation import cases
    from gpu.studies.validation.validate import validate as compare
    from sim.experiment.compared.contender import contenders

    specs, resolved = prepared(experiment, settings, devices, out, batch_size=16, minibatches=24)
    head = {**machine(specs), "command": typed(), "repeats": repeats}
    todo, refused = cases.grid(resolved, RunSettings(model, image_size), contenders(grid),
                               cases.sizes("--batch-sizes", batch_sizes),
                               cases.sizes("--image-sizes", image_sizes))
    with counted_later(len(todo)) as done:
        found = compare(todo, cases.Bench(specs, open_lanes(specs), repeats=repeats), done,
                        within or float("inf"))
    refused += [f"{case}: no time left" for case in todo[len(found):]]
    report = build(found, head, refused)
    if out is not None:
        validation_files.write(report, found, out)
    click.echo(markdown(report))
    if not report["exact"]["passed"]:
        end(1, "the exact part failed: order, versions or weights are not the simulator's")
