"""`python -m gpu staleness`: which weights the passes of a real network used, and its curves."""

from __future__ import annotations

from pathlib import Path

import click

from gpu.commands.door import typed
from gpu.commands.options import (
    graphs_option,
    limit_option,
    model_option,
    own_orders,
    results_option,
    seeds_option,
    size_option,
    threads_option,
)
from sim.commands.bars import estimated
from sim.commands.door import Number, console, experiment_argument


@click.command()
@experiment_argument
@model_option
@click.option("--devices", default="cpu,cpu,cpu,cpu", show_default=True, help="One a stage.")
@own_orders("the study puts each mitigation on the first order that takes it")
@graphs_option
@click.option("--data", metavar="DIR", help="Image folder or CIFAR-10 files [synthetic images].")
@limit_option
@size_option
@click.option("--noise", type=Number(0, 1e6), default=2.0, show_default=True,
              help="Of the synthetic images; a class's pattern has deviation 1.")
@click.option("--mitigations", metavar="a,b,…", help="Only these [all].")
@seeds_option
@click.option("--target", type=Number(0, 1), default=0.95, show_default=True,
              help="Validation accuracy to say the way to.")
@click.option("--timing/--no-timing", default=True, help="Also run every method for its seconds.")
@threads_option
@results_option
def staleness(experiment: Path | None, settings: tuple[str, ...], model: str,
              devices: str, graphs: str, data: str | None, limit: int | None,
              image_size: int | None, noise: float, mitigations: str | None, seeds: int,
              target: float, timing: bool, threads: int, out: Path) -> None:
    """Which weights every pass of a real network used, stale beside predicted, and its curves."""
    from analysis.terminal.fitted.page import on_screen
    from figures.bundles.staleness import write as write_pictures
    from gpu.runtime.settings import RunSettings
    from gpu.studies.staleness.investigation import investigate
    from gpu.studies.staleness.report import markdown, report, write
    from gpu.studies.staleness.study import StudyRequest, prepare

    wanted = RunSettings(model, image_size, data=data, limit=limit, noise=noise, graphs=graphs)
    study, specs = prepare(StudyRequest(experiment, settings, devices, wanted, mitigations,
                                        seeds, target, timing, threads, out))
    with estimated(len(study.methods) * seeds) as done:
        found = investigate(study, specs, done)
    results = report(study, found, specs, typed())
    screen = console()
    for each in on_screen(markdown(results)):
        screen.print(each)
    for path in [*write(results, out), *write_pictures(results, found, out)]:
        click.echo(f"{path} written")
