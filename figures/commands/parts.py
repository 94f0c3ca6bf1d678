"""Options that say which part of a run is drawn."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from figures.commands.refusals import refuse
from sim.commands.door import Number

if TYPE_CHECKING:
    from figures.traces.wanted import Wanted

MOST = 1_000_000  # of what one option lists
COLOURS = ("pass", "staleness", "distance", "minibatch")


class Numbers(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # click 8.3 has one
    """Whole numbers by comma, with ranges: `0-3,7`; each once, in order."""

    def __init__(self, name: str, least: int) -> None:
        self.name, self.least = name, least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None
                ) -> tuple[int, ...]:
        """The numbers that a text names."""
        if isinstance(value, tuple):
            return value
        found: set[int] = set()
        for part in value.split(","):
            ends = re.fullmatch(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?", part)
            if ends is None:
                refuse(param, f"numbers and ranges by comma, e.g. {self.least}-3,7, got "
                              f"{value!r}")
            low, high = int(ends[1]), int(ends[2] or ends[1])
            if low < self.least or high < low:
                refuse(param, f"{self.name} count from {self.least} and ranges go up, got "
                          f"{part.strip()!r}")
            if high - low > MOST:
                refuse(param, f"at most {MOST:,} of them, got {part.strip()!r}")
            found |= set(range(low, high + 1))
        return tuple(sorted(found))


class Start(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Where a window starts, in seconds; or, where it is no number, the CSV to draw again."""

    name = "start"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None
                ) -> float | Path:
        """A number, or the path of a table."""
        if isinstance(value, float | Path):
            return value
        try:
            found = float(value)
        except ValueError:
            return Path(value)
        if not math.isfinite(found):
            refuse(param, f"{value} is not a finite number")
        return found


OPTIONS = (
    click.option("--minibatch", "minibatches", type=Numbers("mini-batches", 1), metavar="7,9",
                 help="Mini-batches to mark, from 1."),
    click.option("--from", "start", type=Start(), metavar="S|CSV",
                 help="Start of the window in seconds; or a CSV of the figure to draw again, where "
                      "nothing is run."),
    click.option("--to", "to_s", type=Number(min=0), metavar="S",
                 help="End of the window in seconds."),
    click.option("--stages", type=Numbers("stages", 0), metavar="0-3,7",
                 help="Stages to show, from 0."),
    click.option("--colour", type=click.Choice(COLOURS), default="pass", show_default=True,
                 help="What colour tells apart."),
)
# the parameter that each gives
PARTS = {"--minibatch": "minibatches", "--from": "start", "--to": "to_s", "--stages": "stages",
         "--colour": "colour"}


def part_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a command to take the options that choose a part of a run."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def wanted_of(from_s: float | None, to_s: float | None, minibatches: tuple[int, ...] | None,
              stages: tuple[int, ...] | None, colour: str) -> Wanted:
    """The part that these options ask for; `from_s` and `to_s` are seconds of the run.

    Raises ConfigurationError for a window that begins before the run, or is empty.
    """
    from figures.traces.wanted import Wanted
    from sim.errors import ConfigurationError

    if from_s is not None and from_s < 0:
        raise ConfigurationError([f"--from: seconds from the run's start, 0 or more, got "
                                  f"{from_s:g}"])
    if to_s is not None and to_s <= (from_s or 0.0):
        raise ConfigurationError([f"--to: after the window's start at {from_s or 0.0:g} s, got "
                                  f"{to_s:g}"])
    return Wanted(minibatches or (), from_s, to_s, stages, colour)
