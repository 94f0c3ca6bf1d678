"""`python -m gpu run`: one experiment on real stages."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpu.commands.cuts import asked_cut, cut_options
from gpu.commands.options import devices_option, graphs_option, model_option, size_option
from sim.commands.asked import program_option, said
from sim.commands.bars import timed
from sim.commands.door import console, experiment_argument, json_option, print_json
from sim.commands.outputs import OUT_FILE

if TYPE_CHECKING:
    from sim.trace import Trace


@click.command()
@experiment_argument
@model_option
@devices_option
@size_option
@program_option
@cut_options
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
        devices: str, image_size: int | None, program_file: Path | None, cut: str | None,
        plan: Path | None, graphs: str, classes: int | None, loss: str, optimizer: str | None,
        dtype: str, threads: int, keep_going: bool, out: Path | None, as_json: bool) -> None:
    """Execute one experiment on real stages and write its trace.

    Without pipeline.stages in the experiment there are as many stages as devices.  Under
    torchrun every rank is a device and rank 0 writes.
    """
    from analysis.metrics.explained import whole_report
    from analysis.metrics.report import report
    from analysis.terminal.fitted.table import Facts
    from analysis.terminal.report_tables import report_tables
    from gpu.distributed.launch import Request, launch
    from gpu.runtime.settings import RunSettings

    chosen = asked_cut(cut, plan)
    wanted = RunSettings(model, image_size, classes, loss, optimizer, dtype, graphs=graphs,
                         cut=chosen.layers)
    program = said(program_file, aloud=os.environ.get("RANK", "0") == "0")
    with timed() as watch:
        trace = launch(Request(experiment, settings, devices, wanted, threads, not keep_going,
                               out, program, chosen.keys), watch)
    if trace is None:
        return
    values, told = (whole_report if as_json else report)(trace), _measured(trace)
    if as_json:
        print_json({**values, **told})
        return
    screen = console()
    for each in (*report_tables(values), Facts("as measured", _facts(told))):
        screen.print(each)
    if out is not None:
        click.echo(f"trace written to {out}")


def _measured(trace: Trace) -> dict[str, Any]:
    """What only a run on real devices has to say."""
    gpu = trace.header.measured()
    told = gpu.as_dict()
    return {"model": gpu.settings["model"], "devices": gpu.devices, "threads": gpu.threads,
            "graphs": told.get("graphs", False), "graphs_why": told.get("graphs_why"),
            "launch_bound_fraction": gpu.launch_bound_fraction,
            "clock_residual_s": gpu.clock_residual_s, "weights_sha256": gpu.weights_sha256}


def _facts(told: dict[str, Any]) -> list[tuple[str, str]]:
    """What only a run on real devices has to say, for a screen; of a CPU less is to be told."""
    from analysis.terminal.fitted.units import percent_text, seconds_text

    captured = "as CUDA graphs" if told["graphs"] else "no" + (
        f": {told['graphs_why']}" if told["graphs_why"] else "")
    facts = [("model", told["model"]), ("devices", ", ".join(told["devices"])),
             ("threads", str(told["threads"])), ("captured", captured)]
    bound = [share for share in told["launch_bound_fraction"] if share is not None]
    if bound:
        facts.append(("launch-bound", f"{', '.join(map(percent_text, bound))} of a device's "
                      "instructions went at the pace of the host"))
    if told["clock_residual_s"]:
        facts.append(("clocks", f"agree to {seconds_text(told['clock_residual_s'], 2)}"))
    return [*facts, ("weights", ", ".join(digest[:12] for digest in told["weights_sha256"])
                     + " (SHA-256, by stage)")]
