"""One command that measures a machine: every step in a process of its own, under its own cap."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from sim.wording import markdown_table

LIMIT_S = 540  # of all caps together


@dataclass(frozen=True)
class Step:
    """One command of a measurement: its arguments after `python -m gpu`, and a cap in seconds."""

    name: str
    cap_s: float
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """How a step ended, and after how many seconds; `code` is None where its cap ended it."""

    step: Step
    code: int | None
    seconds: float
    last_line: str


CPU_GRID = "none@sequential,none,stash,none@gpipe/4,timeprest@nf1b/4"
FINISH_S = 40  # what a validation needs beyond its runs: starting, writing, a run that is slower


def steps(devices: str, out: Path) -> list[Step]:
    """What is measured on these devices, each step into a folder of its own below `out`.

    ResNet-50 and the narrow network on GPUs, the narrow one on CPUs.
    """
    def step(name: str, cap_s: float, command: str, *more: str) -> Step:
        return Step(name, cap_s, (command, "--devices", devices, "--out", str(out / name), *more))

    def validation(name: str, cap_s: float, *more: str) -> Step:
        return step(name, cap_s, "validate", "--within", str(cap_s - FINISH_S), *more)

    if "cuda" not in devices:
        return [step("profile", 60, "profile"),
                validation("validate", 240, "--grid", CPU_GRID)]
    large = ("--model", "resnet50", "--image-size", "128", "--set", "batch_size=64")
    return [step("profile", 75, "profile", *large),
            validation("validate-resnet50", 300, *large, "--set", "minibatches=16",
                       "--repeats", "1"),
            validation("validate-narrow", 120, "--repeats", "1")]


def execute(todo: Sequence[Step], tell: Callable[[str], None]) -> list[Outcome]:
    """Run the steps one after another; one that fails or is capped does not stop the next.

    `tell` is given a line before and after each.  Raises ValueError where the caps add up to more
    than nine minutes.
    """
    if sum(step.cap_s for step in todo) > LIMIT_S:
        raise ValueError(f"the caps of all steps exceed {LIMIT_S} s")
    found = []
    for step in todo:
        tell(f"{step.name}: at most {step.cap_s:.0f} s")
        found.append(_one(step))
        tell(f"{step.name}: {ending(found[-1])} after {found[-1].seconds:.0f} s")
    return found


def _one(step: Step) -> Outcome:
    began = perf_counter()
    command = [sys.executable, "-m", "gpu", *step.arguments]
    try:
        done = subprocess.run(command, timeout=step.cap_s, stderr=subprocess.PIPE, text=True,
                              stdout=subprocess.DEVNULL, check=False)
    except subprocess.TimeoutExpired:
        return Outcome(step, None, perf_counter() - began, "")
    said = done.stderr.strip().splitlines()
    return Outcome(step, done.returncode, perf_counter() - began, said[-1] if said else "")


def ending(outcome: Outcome) -> str:
    """How a step ended, in words."""
    if outcome.code is None:
        return "stopped at its cap"
    if outcome.code:
        return f"failed ({outcome.last_line or f'code {outcome.code}'})"
    return "done"


def page(outcomes: Sequence[Outcome], title: str, command: str) -> str:
    """The README of a measurement's folder: what was run, how it ended, where its results are."""
    rows = [[f"[{o.step.name}]({o.step.name})", ending(o), f"{o.seconds:.0f}"] for o in outcomes]
    return (f"# {title}\n\nMeasured by `{command}`.\n\n"
            + markdown_table(("step", "ended", "seconds"), rows))
