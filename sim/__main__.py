"""The simulator's door: `python -m sim run | compare | timeline | sweep | list | keys | init`."""

from __future__ import annotations

import click

from sim.commands.compare import compare
from sim.commands.door import HELP, Door
from sim.commands.keys import init, keys
from sim.commands.listing import list_
from sim.commands.run import run
from sim.commands.sweep import sweep
from sim.commands.timeline import timeline


@click.group(cls=Door, context_settings=HELP)
def main() -> None:
    """Simulate pipeline-parallel training and know which weights every pass used."""


for command in (run, compare, timeline, sweep, list_, keys, init):
    main.add_command(command)


if __name__ == "__main__":
    main(prog_name="python -m sim")
