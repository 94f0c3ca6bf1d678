"""`python -m gpu profile`: what the stages of an experiment cost, for the simulator."""

from __future__ import annotations

from pathlib import Path

import click

from gpu.commands.options import (
    devices_option,
    folder_option,
    graphs_option,
    model_option,
    size_option,
)
from gpu.commands.prepared import prepared
from sim.commands.asked import program_option, said
from sim.commands.bars import busy
from sim.commands.door import console, experiment_argument


@click.command()
@experiment_argument
@model_option
@devices_option
@size_option
@program_option
@graphs_option
@folder_option
def profile(experiment: Path | None, settings: tuple[str, ...], model: str, devices: str,
            image_size: int | None, program_file: Path | None, graphs: str, out: Path | None
            ) -> None:
    """Measure the stages of one experiment; profile.json is for `costs.profile` of `sim`.

    Seconds of every stage alone and beside busy neighbours, bytes, latency and bandwidth.
    """
    from analysis.terminal.profile_tables import profile_tables
    from gpu.lanes.devices import open_lanes
    from gpu.profiling.experiment import profile as measured_profile
    from gpu.runtime.assembly import RunSettings
    from sim.times.profile import write_profile

    specs, resolved, program = prepared(experiment, settings, devices, out, said(program_file),
                                        batch_size=16)
    with busy("profiling every stage, alone and beside busy neighbours"):
        measured = measured_profile(resolved, RunSettings(model, image_size, graphs=graphs), specs,
                                    open_lanes(specs), program=program)
    if out is not None:
        write_profile(measured, out / "profile.json")
    screen = console()
    for each in profile_tables(measured):
        screen.print(each)
    if out is not None:
        click.echo(f"{out / 'profile.json'} written")
