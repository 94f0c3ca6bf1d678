"""`pipestale sim run …`: the four doors behind one console command."""

from __future__ import annotations

from importlib import import_module

import click

from sim import __version__
from sim.commands.door import HELP, Door

DOORS = ("sim", "gpu", "analysis", "figures")


class Doors(Door):
    """A door to the doors; each is imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The four doors."""
        return list(DOORS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A door, imported now; None for any other name."""
        if cmd_name not in DOORS:
            return None
        door: click.Command = import_module(f"{cmd_name}.__main__").main
        return door


@click.group(cls=Doors, context_settings=HELP)
@click.version_option(__version__, prog_name="pipestale")
def main() -> None:
    """Simulate, run and look at pipeline-parallel training: the four doors as one command."""


if __name__ == "__main__":
    main(prog_name="pipestale")
