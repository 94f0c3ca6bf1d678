"""Executing a measurement: every step in a process of its own, ended at its cap."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

from gpu.studies.measure.steps import LIMIT_S, Step, check


@dataclass(frozen=True)
class Outcome:
    """How a step ended, and after how many seconds; `code` is None where its cap ended it."""

    step: Step
    code: int | None
    seconds: float
    last_line: str
    cap_s: float


def execute(todo: Sequence[Step], tell: Callable[[str], None],
            after: Callable[[Sequence[Outcome]], None] = lambda found: None) -> list[Outcome]:
    """Run the steps one after another; one that fails or is capped does not stop the next.

    `tell` is given a line before and after each, `after` all that has ended so far, so that what is
    there is written down whatever comes.  Raises ValueError where the caps add up to more than nine
    minutes.
    """
    check(todo)
    found: list[Outcome] = []
    began = perf_counter()
    for number, step in enumerate(todo):
        others = sum(each.cap_s for each in todo[number + 1:])
        left = LIMIT_S - (perf_counter() - began) - others
        cap_s = max(step.cap_s, left) if step.last else step.cap_s
        tell(f"{step.name}: at most {cap_s:.0f} s")
        found.append(_one(step, cap_s))
        tell(f"{step.name}: {ending(found[-1])} after {found[-1].seconds:.0f} s")
        after(found)
    return found


def _one(step: Step, cap_s: float) -> Outcome:
    began = perf_counter()
    command = [sys.executable, "-m", "gpu", *step.command(cap_s)]
    try:
        done = subprocess.run(command, timeout=cap_s, stderr=subprocess.PIPE, text=True,
                              stdout=subprocess.DEVNULL, check=False)
    except subprocess.TimeoutExpired:
        return Outcome(step, None, perf_counter() - began, "", cap_s)
    said = done.stderr.strip().splitlines()
    return Outcome(step, done.returncode, perf_counter() - began, said[-1] if said else "", cap_s)


def ending(outcome: Outcome) -> str:
    """How a step ended, in words."""
    if outcome.code is None:
        return "stopped at its cap"
    if outcome.code:
        return f"failed ({outcome.last_line or f'code {outcome.code}'})"
    return "done"
