"""What the four doors share: options, and mistakes told in one line instead of a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

MISTAKE = 2  # exit code


class Door(click.Group):
    """A group whose commands report a user's mistake and exit with code 2."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # in the order they are written

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.Abort):
            raise  # `--help` is done: both are RuntimeErrors, and _told would import everything
        except (ValueError, RuntimeError, OSError) as error:
            lines = _told(error)
            if lines is None:
                raise
            click.echo("\n".join(f"error: {line}" for line in lines), err=True)
            sys.exit(MISTAKE)


def _told(error: Exception) -> list[str] | None:
    """The lines to print for what a user can act on; None for a bug."""
    from sim.errors import (
        ConfigurationError,
        DeadlockError,
        InvalidProgramError,
        ProfileError,
        TraceError,
    )

    if isinstance(error, ConfigurationError):
        return error.problems
    if isinstance(error, InvalidProgramError | DeadlockError | TraceError | ProfileError):
        return [str(error)]
    if isinstance(error, OSError) and error.filename:
        return [f"{error.filename}: {error.strerror}"]
    return None


Command = Callable[..., Any]


def experiment_argument(command: Command) -> Command:
    """The optional experiment file and its `--set KEY=VALUE` settings."""
    command = click.option("--set", "settings", multiple=True, metavar="KEY=VALUE",
                           help="Override one key, e.g. pipeline.stages=8.")(command)
    return click.argument("experiment", required=False, metavar="[EXPERIMENT.toml]",
                          type=click.Path(path_type=Path))(command)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")


def print_json(value: Any) -> None:
    """JSON on standard output."""
    import json

    click.echo(json.dumps(value, indent=2, allow_nan=False))


def console() -> Any:
    """A rich console: as wide as the terminal, or `COLUMNS` or 120 into a file or pipe.

    With `NO_COLOR` it writes no escape codes at all, bold ones neither.
    """
    import os

    from rich.console import Console

    colours: Any = None if os.environ.get("NO_COLOR") else "auto"
    plain = Console(highlight=False, color_system=colours)
    if plain.is_terminal or os.environ.get("COLUMNS", "").isdigit():
        return plain
    return Console(width=120, highlight=False, color_system=colours)


def number(value: Any, digits: int = 4) -> str:
    """A number for a table: short, `–` for none, lists by comma."""
    if value is None:
        return "–"
    if isinstance(value, list | tuple):
        return ", ".join(number(v, digits) for v in value)
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    return str(value)
