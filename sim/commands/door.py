"""What the four doors share: options, and mistakes said in one line instead of a traceback."""

from __future__ import annotations

import errno
import math
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import click

from sim.errors import MistakeError, did_you_mean, missing_part, unknown

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)  # no more can be written
HELP: dict[str, Any] = {"help_option_names": ["-h", "--help"]}


class Door(click.Group):
    """A group of commands that say a user's mistake in lines and exit with its code.

    Every command behind it, and the door itself, takes `--plugin`.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.params.append(plugin_option())

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order they are written."""
        return list(self.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, with the option that every command has."""
        command = super().get_command(ctx, cmd_name)
        if command is not None and not any(each.name == "plugins" for each in command.params):
            command.params.append(plugin_option())
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a mistake ends the process with its code.

        Raises UsageError where the command line is wrong.
        """
        try:
            with standard_output():
                return super().invoke(ctx)
        except click.UsageError as error:
            raise better_said(error) from None
        except Exception as error:
            mistake = mistake_of(error)
            if mistake is None:
                raise
            self.end(mistake)

    def resolve_command(self, ctx: click.Context, args: list[str]
                        ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is named.  Raises UsageError with the commands there are."""
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise click.UsageError(unknown("command", args[0], self.list_commands(ctx)), ctx)
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the door's own options; a mistake in them ends the process too."""
        try:
            return super().parse_args(ctx, args)
        except MistakeError as mistake:  # of a plugin given before the command
            self.end(mistake)

    def end(self, mistake: MistakeError) -> NoReturn:
        """Say what is wrong and exit."""
        click.echo("\n".join(f"error: {line}" for line in mistake.lines), err=True)
        sys.exit(mistake.code)


def better_said(error: click.UsageError) -> click.UsageError:
    """A mistake of the command line with the nearest choice there is, or how settings are given."""
    wrong = re.match(r"(['\"])(.*)\1 is not one of ", error.message)
    if isinstance(error, click.BadParameter) and wrong and error.param is not None:
        choices = getattr(error.param.type, "choices", ())
        more = did_you_mean(wrong[2], choices)
    elif error.message.startswith("Got unexpected extra argument") and "=" in error.message:
        more = "; a setting is given as --set KEY=VALUE"
    else:
        return error
    return click.UsageError(f"{error.format_message().removesuffix('.')}{more}.", error.ctx)


def mistake_of(error: Exception) -> MistakeError | None:
    """What a user can act on in `error`, a missing file or optional part too; None for a bug.

    A reader of standard output that has gone away is nobody's mistake.
    """
    if isinstance(error, MistakeError):
        return error
    if isinstance(error, MemoryError):
        return MistakeError(f"out of memory; make the experiment smaller{_said(error)}")
    if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
        named = isinstance(error.filename, str | bytes)
        where = f"{os.fsdecode(error.filename)}: " if named else ""
        return MistakeError(f"{where}{error.strerror or error}")
    return missing_part(error) if isinstance(error, ImportError) else None


def _said(error: Exception) -> str:
    return f" ({error})" if str(error) else ""


@contextmanager
def standard_output() -> Iterator[None]:
    """What a command prints arrives, or it is a mistake that it does not.

    A letter that the output's encoding lacks is written by its number.  Raises MistakeError where
    standard output is closed or takes no more.
    """
    out: Any = sys.stdout
    if out is None:
        raise MistakeError("standard output is closed")
    if hasattr(out, "reconfigure"):
        out.reconfigure(errors="backslashreplace")
    try:
        yield
        out.flush()
    except OSError as error:
        if error.errno not in FULL or error.filename is not None:
            raise
        with suppress(OSError):  # what is left goes nowhere, so that Python ends quietly
            os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        raise MistakeError(f"standard output: {error.strerror}") from None


def plugin_option() -> click.Option:
    """`--plugin FILE.py`, loaded before the command runs."""
    return click.Option(["--plugin", "plugins"], multiple=True, expose_value=False,
                        metavar="FILE.py", type=click.Path(path_type=Path), callback=_load,
                        help="Python that registers schedules, mitigations, … of your own.")


def _load(ctx: click.Context, option: click.Parameter, files: tuple[Path, ...]) -> None:
    from sim.registry import add_plugin

    for file in files:
        add_plugin(file)


class Number(click.FloatRange):
    """A number of an option, within a range; one that is not finite (nan, inf) is a mistake."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number that a text stands for."""
        found = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return found


Command = Callable[..., Any]


def experiment_argument(command: Command) -> Command:
    """Decorate a command to take an optional experiment file and `--set KEY=VALUE` settings."""
    command = click.option("--set", "settings", multiple=True, metavar="KEY=VALUE",
                           help="Override one key, e.g. pipeline.stages=8.")(command)
    return click.argument("experiment", required=False, metavar="[EXPERIMENT.toml]",
                          type=click.Path(path_type=Path))(command)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")


def print_json(value: Any) -> None:
    """Write a value as JSON to standard output."""
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
