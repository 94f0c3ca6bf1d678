"""How every command of this door behaves: progress, one line per mistake, exit codes."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import NoReturn, TypeVar

import click

Result = TypeVar("Result")
SOON_S = 1.0  # what takes longer shows how far it is


def typed() -> str:
    """The command as it was typed."""
    return shlex.join(["python", "-m", "gpu", *sys.argv[1:]])


@contextmanager
def progress() -> Iterator[Callable[[int, int, float], None]]:
    """A bar on a terminal once a run takes more than a second."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
                  ) as shown:
        bar = shown.add_task("running", visible=False)
        yield lambda done, total, seconds: shown.update(
            bar, completed=done, total=total, visible=seconds > SOON_S)


@contextmanager
def counted(total: int) -> Iterator[Callable[[], None]]:
    """A bar that the function given advances by one."""
    begun, count = perf_counter(), iter(range(1, total + 1))
    with progress() as watch:
        yield lambda: watch(next(count, total), total, perf_counter() - begun)


def guarded(work: Callable[[], Result]) -> Result:
    """Run `work`; a user's mistake ends with code 2, a failed run with 1, each in clear lines."""
    from gpu.errors import DeviceError, RankError, StageError
    from sim.errors import ConfigurationError, InvalidProgramError

    try:
        return work()
    except ConfigurationError as error:
        end(2, *error.problems)
    except (DeviceError, InvalidProgramError, OSError) as error:
        end(2, str(error))
    except StageError as error:
        end(1, str(error))
    except RankError as error:
        end(1, str(error), now=True)
    except KeyboardInterrupt:
        end(130, "interrupted; nothing was written", now=True)


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
