"""Options that several commands take."""

from __future__ import annotations

from pathlib import Path

import click

devices_option = click.option("--devices", default="cpu,cpu", show_default=True,
                              help="cpu,cpu or cuda:0,cuda:1 or cuda:0/2 (one GPU as two).")
model_option = click.option("--model", default="narrow", show_default=True,
                            help="narrow, resnet50 or vgg16.")
size_option = click.option("--image-size", type=click.IntRange(min=8), help="Side in pixels.")
folder_option = click.option("--out", type=click.Path(file_okay=False, path_type=Path),
                             metavar="DIR", help="Write everything into this folder.")
limit_option = click.option("--limit", type=click.IntRange(min=1),
                            help="Train on at most so many images of it.")
seeds_option = click.option("--seeds", type=click.IntRange(1, 100), default=3, show_default=True)
threads_option = click.option("--threads", type=click.IntRange(min=1), default=1,
                              show_default=True)
results_option = click.option("--out", type=click.Path(file_okay=False, path_type=Path),
                              default=Path("out"), show_default=True,
                              help="Folder for JSON, Markdown, CSV and figures.")
