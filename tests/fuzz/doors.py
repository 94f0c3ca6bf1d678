"""The doors called in this process, as their commands are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import click
from click.testing import CliRunner

import analysis.sweep.pool
from analysis.__main__ import main as analysis_door
from analysis.sweep.work import work
from figures.__main__ import main as figures_door
from gpu.__main__ import main as gpu_door
from sim import errors
from sim.__main__ import main as sim_door
from tests.fuzz.case import Case
from tests.fuzz.judge import Ending

DOORS: dict[str, click.Command] = {"sim": sim_door, "analysis": analysis_door,
                                   "figures": figures_door, "gpu": gpu_door}


def ended(case: Case) -> Ending:
    """How the command of a case ends in the folder where we are."""
    analysis.sweep.pool.processes = in_turn  # a pool of processes takes a second to begin
    result = CliRunner().invoke(DOORS[case.door], list(case.arguments),
                                prog_name=f"python -m {case.door}")
    escaped = None if isinstance(result.exception, SystemExit) else result.exception
    return Ending(result.exit_code, result.stdout, result.stderr, escaped)


def in_turn(count: int | None) -> Callable[..., Iterator[dict[str, Any]]]:
    """Workers of a sweep that are none: its points one after another, here.

    A point that fails by anything but a mistake is a fault, whatever its table says of it.
    """
    def evaluate(point: Callable[[int], Any], numbers: Iterable[int]) -> Iterator[dict[str, Any]]:
        for number in numbers:
            record = work(point(number))
            kind = (record["error"] or {}).get("kind")
            if kind is not None and not issubclass(getattr(errors, kind, object),
                                                   errors.MistakeError):
                raise AssertionError(f"a point failed by {record['error']}")
            yield record

    return evaluate
