"""`python -m gpu profile`: what the stages of an experiment cost, for the simulator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gpu.commands.cuts import asked_cut, cut_options
from gpu.commands.options import (
    devices_option,
    folder_option,
    graphs_option,
    model_option,
    size_option,
)
from gpu.commands.prepared import prepared
from sim.commands.asked import program_option, said
from sim.commands.bars import busy, estimated
from sim.commands.door import console, experiment_argument
from sim.errors import ConfigurationError

if TYPE_CHECKING:
    from gpu.lanes.devices import DeviceSpec
    from gpu.runtime.settings import RunSettings
    from sim.experiment.options import Experiment
    from sim.order.program import Program
    from sim.times.profile import Profile


@click.command()
@experiment_argument
@model_option
@devices_option
@size_option
@program_option
@cut_options
@graphs_option
@click.option("--layers", is_flag=True,
              help="Measure every layer on the first device, for analysis partition; the file is "
                   "layers.json.")
@folder_option
def profile(experiment: Path | None, settings: tuple[str, ...], model: str, devices: str,
            image_size: int | None, program_file: Path | None, cut: str | None,
            plan: Path | None, graphs: str, layers: bool, out: Path | None) -> None:
    """Measure the stages of one experiment; profile.json is for `costs.profile` of `sim`.

    Seconds of every stage alone and beside busy neighbours, bytes, latency and bandwidth.
    With --layers those of every layer of the network, on one device alone.
    """
    from analysis.terminal.profile_tables import profile_tables
    from gpu.runtime.settings import RunSettings
    from sim.times.profile import write_profile

    chosen = asked_cut(cut, plan)
    if layers:
        _refuse_order(chosen.layers is not None or program_file is not None)
    specs, resolved, program = prepared(experiment, settings, devices, out, said(program_file),
                                        batch_size=16, **chosen.keys)
    wanted = RunSettings(model, image_size, graphs=graphs, cut=chosen.layers)
    if layers:
        measured, file = _layers(resolved, wanted, specs), "layers.json"
    else:
        measured, file = _stages(resolved, wanted, specs, program), "profile.json"
    if out is not None:
        write_profile(measured, out / file)
    screen = console()
    for each in profile_tables(measured):
        screen.print(each)
    if out is not None:
        click.echo(f"{out / file} written")


def _refuse_order(given: bool) -> None:
    """Layers are measured without a cut or an order of the user's.  Raises ConfigurationError."""
    if given:
        raise ConfigurationError(["--layers: measures the layers that stages are cut from, so "
                                  "--cut, --plan and --program say nothing of it"])


def _stages(experiment: Experiment, wanted: RunSettings, specs: Sequence[DeviceSpec],
            program: Program | None) -> Profile:
    from gpu.lanes.devices import open_lanes
    from gpu.profiling.experiment import profile as measured_profile

    with busy("profiling every stage, alone and beside busy neighbours"):
        return measured_profile(experiment, wanted, specs, open_lanes(specs), program=program)


def _layers(experiment: Experiment, wanted: RunSettings, specs: Sequence[DeviceSpec]) -> Profile:
    from gpu.lanes.devices import open_lanes
    from gpu.profiling.layers import layer_profile, turns

    with estimated(turns()) as done:
        return layer_profile(experiment, wanted, specs, open_lanes(specs), done=done).profile
