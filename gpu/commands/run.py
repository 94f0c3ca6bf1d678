"""`python -m gpu run`: one experiment on real stages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpu.commands.options import devices_option, graphs_option, model_option, size_option
from sim.commands.asked import program_option
from sim.commands.bars import timed
from sim.commands.door import experiment_argument, json_option, number, print_json
from sim.commands.outputs import OUT_FILE

if TYPE_CHECKING:
    from sim.trace import Trace


@click.command()
@experiment_argument
@model_option
@devices_option
@size_option
@program_option
@graphs_option
@click.option("--classes", type=click.IntRange(2, 100_000), help="Classes of the synthetic images.")
@click.option("--loss", type=click.Choice(["cross-entropy", "mse"]), default="cross-entropy")
@click.option("--optimizer", metavar="NAME", help="In place of training.optimizer.")
@click.option("--dtype", type=click.Choice(["float32", "float64"]), default="float32")
@click.option("--threads", type=click.IntRange(1, 1024), default=1, show_default=True,
              help="Threads of one CPU operation; results differ with their number.")
@click.option("--keep-going", is_flag=True, help="Record a divergence instead of stopping at it.")
@click.option("--out", type=OUT_FILE, metavar="TRACE.npz",
              help="Write the trace here.")
@json_option
def run(experiment: Path | None, settings: tuple[str, ...], model: str,
        devices: str, image_size: int | None, program_file: Path | None, graphs: str,
        classes: int | None, loss: str, optimizer: str | None, dtype: str, threads: int,
        keep_going: bool, out: Path | None, as_json: bool) -> None:
    """Execute one experiment on real stages and write its trace.

    Without pipeline.stages in the experiment there are as many stages as devices.  Under
    torchrun every rank is a device and rank 0 writes.
    """
    from analysis.metrics.report import report
    from gpu.distributed.launch import Request, launch
    from gpu.runtime.assembly import RunSettings

    wanted = RunSettings(model, image_size, classes, loss, optimizer, dtype, graphs=graphs)
    with timed() as watch:
        trace = launch(Request(experiment, settings, devices, wanted, threads, not keep_going,
                               out, program_file), watch)
    if trace is not None:
        values = {**report(trace), **_measured(trace)}
        print_json(values) if as_json else click.echo(_table(values))


def _measured(trace: Trace) -> dict[str, Any]:
    """What only a run on real devices has to say."""
    gpu = trace.header.measured()
    told = gpu.as_dict()
    return {"model": gpu.settings["model"], "devices": gpu.devices, "threads": gpu.threads,
            "graphs": told.get("graphs", False), "graphs_why": told.get("graphs_why"),
            "launch_bound_fraction": gpu.launch_bound_fraction,
            "clock_residual_s": gpu.clock_residual_s, "weights_sha256": gpu.weights_sha256}


def _table(values: dict[str, Any]) -> str:
    """The plain numbers; the nested ones are in the JSON and the trace."""
    shown = {name: _cell(name, value) for name, value in values.items()
             if not isinstance(value, dict) and not (name == "graphs_why" and value is None)}
    width = max(map(len, shown))
    return "\n".join(f"{name:{width}}  {text}" for name, text in shown.items())


def _cell(name: str, value: Any) -> str:
    """A value for people: digests by their first digits, numbers short, `–` for none."""
    if name == "weights_sha256":
        return ", ".join(f"{digest[:12]}…" for digest in value)
    if isinstance(value, list):
        return ", ".join(_cell("", each) for each in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else number(value, 6)
