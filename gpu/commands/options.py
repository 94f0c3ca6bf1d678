"""Options that several commands take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sim.commands.outputs import OUT_FOLDER
from sim.errors import ConfigurationError

GRAPHS = ("auto", "on", "off")

devices_option = click.option("--devices", default="cpu,cpu", show_default=True,
                              help="cpu,cpu or cuda:0,cuda:1 or cuda:0/2 (one GPU as two).")
model_option = click.option("--model", default="narrow", show_default=True,
                            help="narrow, resnet50, vgg16 or transformer.")
size_option = click.option("--image-size", type=click.IntRange(8, 4096), help="Side in pixels.")
folder_option = click.option("--out", type=OUT_FOLDER, metavar="DIR",
                             help="Write everything into this folder.")
graphs_option = click.option("--graphs", type=click.Choice(GRAPHS), default="auto",
                             show_default=True, help="Capture stages as CUDA graphs: auto (where "
                             "they run on CUDA), on, off.")
limit_option = click.option("--limit", type=click.IntRange(min=1),
                            help="Train on at most so many images of it.")
seeds_option = click.option("--seeds", type=click.IntRange(1, 100), default=3, show_default=True)
threads_option = click.option("--threads", type=click.IntRange(1, 1024), default=1,
                              show_default=True)
results_option = click.option("--out", type=OUT_FOLDER, default=Path("out"), show_default=True,
                              help="Folder for JSON, Markdown, CSV and figures.")


def own_orders(what: str) -> Callable[[Any], Any]:
    """`--program FILE` of a command that goes through orders of its own: refused, saying `what`."""

    def refuse(ctx: click.Context, option: click.Parameter, file: Path | None) -> None:
        if file is not None:
            raise ConfigurationError([f"--program {file}: {what}; gpu run, profile and validate "
                                      "take a program of yours"])

    return click.option("--program", type=click.Path(path_type=Path), metavar="FILE",
                        expose_value=False, callback=refuse, help=f"Refused: {what}.")
