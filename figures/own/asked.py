"""What somebody asks of `python -m figures`, as the door has understood it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from figures.drawing.look import Look
from figures.traces.wanted import Wanted
from sim.errors import ConfigurationError


@dataclass(frozen=True)
class Asked:
    """Pictures by name, what they are drawn from, and how.

    `files` are traces, experiments or folders, `settings` go into the experiments, `program` is
    run in place of their schedules'.  `given` are the options that were really given, by name,
    with their values; `out` is the folder written to.
    """

    names: tuple[str, ...]
    files: tuple[Path, ...] = ()
    settings: tuple[str, ...] = ()
    program: Path | None = None
    wanted: Wanted = field(default_factory=Wanted)
    look: Look = field(default_factory=Look)
    out: Path = Path("out")
    given: Mapping[str, Any] = field(default_factory=dict)

    def refuse(self, options: tuple[str, ...], why: str) -> None:
        """Make sure that none of these options was given.  Raises ConfigurationError."""
        problems = [f"{each}: {why}" for each in options if each in self.given]
        if problems:
            raise ConfigurationError(problems)

    def command(self, *options: str) -> str:
        """The command that makes it, with those of these options that were given.

        Files outside the folder it was given in stand by their names alone.
        """
        words = ["python", "-m", "figures", *self.names, *map(_place, self.files)]
        for name in dict.fromkeys(options):
            if name in self.given:
                value = self.given[name]
                several = value if name == "--set" else (value,)
                unit = "in" if name == "--width" else ""
                words += [word for each in several for word in (name, f"{_said(each)}{unit}")]
        return shlex.join(words)


def _place(path: Path) -> str:
    return path.name if path.is_absolute() else str(path)


def _said(value: Any) -> str:
    """An option's value as it is written."""
    if isinstance(value, Path):
        return _place(value)
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value) or "none"
