"""`python -m gpu tutorial`: PyTorch's pipeline tutorial, and NWPT's look-ahead beside it."""

from __future__ import annotations

from typing import Any

import click

from gpu.commands.door import typed
from gpu.commands.options import (
    graphs_option,
    limit_option,
    own_orders,
    results_option,
    seeds_option,
    threads_option,
)
from sim.commands.bars import estimated
from sim.commands.door import Number, console


@click.command()
@click.option("--devices", default="cpu,cpu", show_default=True,
              help="cpu,cpu or cuda:0,cuda:1 or cuda:0/2; the single device is the first, or all "
              "of a GPU in parts.")
@own_orders("the tutorial goes through the orders of PyTorch's own")
@graphs_option
@click.option("--full", is_flag=True, help="The tutorial's ResNet-50, 120 images of 128x128.")
@click.option("--model", help="narrow, resnet50 or vgg16 [narrow; full: resnet50].")
@click.option("--image-size", type=click.IntRange(8, 4096), help="Side in pixels [128].")
@click.option("--batch-size", type=click.IntRange(1, 100_000), help="Images of a mini-batch [120].")
@click.option("--splits", metavar="N,N,…", help="Images of a micro-batch [the tutorial's].")
@click.option("--repeats", type=click.IntRange(1, 10_000), help="[5; full: 10]")
@click.option("--epochs", type=click.IntRange(1, 10_000), default=6, show_default=True)
@click.option("--learning-rate", type=Number(0, min_open=True),
              help="Of the training with and without NWPT [0.0025].")
@seeds_option
@click.option("--data", metavar="DIR", help="Image folder or CIFAR-10 files for the training.")
@limit_option
@click.option("--noise", type=Number(0, 1e6), default=2.0, show_default=True,
              help="Of the synthetic images.")
@click.option("--within", type=Number(0, min_open=True), metavar="SECONDS",
              help="Begin no further repeat or seed that would not be done by then.")
@threads_option
@results_option
def tutorial(**options: Any) -> None:
    """Single device, model parallel, pipelined by split size; then with and without NWPT."""
    from analysis.terminal.fitted.page import on_screen
    from figures.bundles.tutorial import write as write_pictures
    from gpu.studies.tutorial.performance import Asked, perform, prepare
    from gpu.studies.tutorial.report import markdown, report, write

    asked = Asked(**options)
    plan = prepare(asked)
    with estimated(plan.rounds, asked.within) as done:
        found = perform(plan, done)
    results = report(plan, found, typed())
    screen = console()
    for each in on_screen(markdown(results)):
        screen.print(each)
    for path in [*write(results, asked.out), *write_pictures(results, found, asked.out)]:
        click.echo(f"{path} written")
