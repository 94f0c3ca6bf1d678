"""The painter's door: `python -m figures NAME… [TRACE…]`, `sweep TABLE`, `explore TRACE…`."""

from __future__ import annotations

from itertools import pairwise

import click

from figures.commands.draw import draw
from figures.commands.explore import explore
from figures.commands.sweep import sweep
from sim.commands.door import HELP, Door


class Bare(Door):
    """The door without a command name: what begins with no other command belongs to `draw`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        named = next((arg for before, arg in pairwise(["", *args])
                      if arg != "--plugin" and before != "--plugin"), None) in self.commands
        return super().parse_args(ctx, args if named else ["draw", *args])


main = Bare(commands={"draw": draw, "sweep": sweep, "explore": explore}, context_settings=HELP,
            help="Pictures by name, of sweeps, and traces as a page to look through.")


if __name__ == "__main__":
    main(prog_name="python -m figures")
