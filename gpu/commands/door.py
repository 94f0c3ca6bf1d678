"""How this door ends: as the others do, and safely where a rank or a thread still waits."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from gpu.errors import RankError
from sim.commands.door import Door
from sim.errors import MistakeError


class TorchDoor(Door):
    """A door whose commands may run on threads, or as one rank of torchrun."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an interrupted one says so and ends at once."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            end(130, "interrupted; nothing was written", now=True)

    def end(self, mistake: MistakeError) -> NoReturn:
        """Say what is wrong and exit, at once where another rank is lost."""
        end(mistake.code, *mistake.lines, now=isinstance(mistake, RankError))


def typed() -> str:
    """The command line as it was typed, for reports to quote."""
    if Path(sys.argv[0]).name.startswith("pipestale"):
        return shlex.join(["pipestale", *sys.argv[1:]])
    return shlex.join(["python", "-m", "gpu", *sys.argv[1:]])


def end(code: int, *lines: str, now: bool = False) -> NoReturn:
    """Say what is wrong and exit.

    `now`, as ever in a distributed run, waits for no thread: one may be held by another rank.
    """
    rank = f"[rank {os.environ['RANK']}] " if "RANK" in os.environ else ""
    for line in lines:
        click.echo(f"{rank}error: {line}", err=True)
    if now or rank:
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
