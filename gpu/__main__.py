"""The door of the torch backend: `python -m gpu run | profile | validate | measure …`."""

from __future__ import annotations

import click

from gpu.commands.door import TorchDoor
from gpu.commands.measure import measure
from gpu.commands.profile import profile
from gpu.commands.run import run
from gpu.commands.staleness import staleness
from gpu.commands.tensor import tensor
from gpu.commands.tutorial import tutorial
from gpu.commands.validate import validate
from sim.commands.door import HELP


@click.group(cls=TorchDoor, context_settings=HELP)
def main() -> None:
    """Run pipeline programs on real ResNet stages: CPU threads, GPUs, or ranks of torchrun."""


for command in (run, profile, validate, measure, staleness, tutorial, tensor):
    main.add_command(command)


if __name__ == "__main__":
    main(prog_name="python -m gpu")
