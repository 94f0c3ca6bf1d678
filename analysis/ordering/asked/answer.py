"""The answer to the question of an order: searched or proved, and at last simulated."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.metrics.report import report
from analysis.ordering.bounds.anywhere import anywhere_bound_s
from analysis.ordering.bounds.makespan import jobs_of, lower_bound_s
from analysis.ordering.bounds.period import period_bound_s
from analysis.ordering.exact.branching import (
    Best,
    Shorter,
    best_order,
    refuse_unproved,
    shorter_order,
)
from analysis.ordering.periodic.holding import mitigation_of
from analysis.ordering.periodic.search import endless_order
from analysis.ordering.problem import OrderProblem
from analysis.ordering.search import search
from analysis.theory.endless import endless
from sim.errors import ConfigurationError
from sim.experiment.options import Experiment
from sim.experiment.run import run
from sim.order.program import Program
from sim.times.profile import Profile
from sim.trace import Trace

SMALL = 90  # passes and messages that branch and bound is tried on first
STEPS = 4_000  # of it: a second or two
AFTER = 0.3  # of the time, for branch and bound and for raising the bound after a search
MEDIUM = 1_000  # passes and messages of problems that branch and bound goes on with after it
ROUNDS_A_STEP = 200  # of a search, for one of branch and bound
BEYOND = 8  # mini-batches of a program without a flush, beside three a stage


@dataclass(frozen=True)
class Answer:
    """An order that was found, and all that is told of it, as `--json` prints it.

    `profile` is that of its stages where they were cut for the question.
    """

    program: Program
    told: dict[str, Any]
    profile: Profile | None


def answer(problem: OrderProblem, *, seconds: float = 10.0, rounds: int | None = None,
           seed: int = 0, minibatches: int | None = None, move_stages: bool = False,
           done: Callable[[float, float, int], None] | None = None) -> Answer:
    """The best order found for a problem in about so many seconds, or in `rounds` steps.

    `minibatches` are those of the program of an order without a flush (None: as many as show what
    repeats); a flushed one has one.  With `move_stages` stages may live on other devices than the
    problem says.  `done` hears of a flushed search: the part done, the best seconds, orders judged.

    Raises ConfigurationError where nothing keeps the limits.
    """
    if problem.max_staleness:
        if move_stages:
            raise ConfigurationError(["--move-stages: is for flushed orders, --max-staleness 0"])
        return _endless(problem, seconds, rounds, seed, minibatches)
    if minibatches is not None:
        raise ConfigurationError(["--minibatches: a flushed order is that of one mini-batch, which "
                                  "sim run --program repeats"])
    return _flushed(problem, seconds, rounds, seed, move_stages, done)


def _flushed(problem: OrderProblem, seconds: float, rounds: int | None, seed: int,
             move_stages: bool, done: Callable[[float, float, int], None] | None) -> Answer:
    bound = anywhere_bound_s(problem) if move_stages else lower_bound_s(problem)
    small = None if move_stages else _proved(problem)
    if small is not None:
        program, proved = small.program, True
        told: dict[str, Any] = {"searched": small.steps, "start": "branch and bound",
                                "named": search(problem, rounds=0).named_s}
    else:
        found = search(problem, seconds=(1 - AFTER) * seconds, rounds=rounds, seed=seed,
                       bound_s=bound, move_stages=move_stages, progress=done)
        program, proved, makespan = found.program, found.makespan_s <= bound, found.makespan_s
        told = {"searched": found.judged, "start": found.start, "named": found.named_s}
        if not proved and not move_stages:
            after = _after(problem, makespan, AFTER * seconds / 2, rounds)
            if after.best is not None:
                program, makespan = after.best.program, after.best.makespan_s
                told["start"] += ", then branch and bound"
            told["searched"] += after.steps
            proved = after.proved
            if not proved:
                bound = max(bound, lower_bound_s(
                    problem, makespan, AFTER * seconds / 2 if rounds is None else math.inf))
    problem = problem.placed(program.home[0]) if move_stages else problem
    trace = _run(problem, program)
    makespan = float(trace.end_s.max())
    told = {"makespan_s": makespan, "lower_bound_s": makespan if proved else bound,
            "proved": proved or bound >= makespan, **told}
    return Answer(program, {**_head(problem, program), **told, **_measured(problem, trace),
                            "program": str(program)}, problem.profile)


def _after(problem: OrderProblem, makespan_s: float, seconds: float, rounds: int | None
           ) -> Shorter:
    """What branch and bound finds that is shorter than a search's makespan, in seconds, or proves
    about it; nothing of large problems."""
    if jobs_of(problem) > MEDIUM:
        return Shorter(None, False, 0)
    try:
        if rounds is None:
            return shorter_order(problem, makespan_s, seconds=seconds)
        return shorter_order(problem, makespan_s, most_steps=1 + rounds // ROUNDS_A_STEP)
    except ConfigurationError:
        return Shorter(None, False, 0)


def _proved(problem: OrderProblem) -> Best | None:
    """The best order of a small problem; None where it is not small, or was not proved."""
    if jobs_of(problem) > SMALL:
        return None
    try:
        refuse_unproved(problem)
    except ConfigurationError:
        return None
    found = best_order(problem, STEPS)
    return found if found.proved else None


def _endless(problem: OrderProblem, seconds: float, rounds: int | None, seed: int,
             minibatches: int | None) -> Answer:
    bound = period_bound_s(problem)
    found = endless_order(problem, seconds=seconds, rounds=rounds, seed=seed, bound_s=bound)
    shifts = [each.shift for events in found.cycle.devices for each in events]
    shown = 3 * problem.stages + BEYOND + max(shifts) - min(shifts)
    program = found.cycle.program(problem, minibatches or shown)
    trace = _run(problem, program)
    whole = found.cycle.program(problem, shown)
    steady = endless(_lasting(problem, shown), whole, problem.profile)
    told = {"period_s": steady["period_s"], "lower_bound_s": bound,
            "proved": bound >= steady["period_s"], "searched": found.searched,
            "start": found.start, "named": found.named}
    measured = _measured(problem, trace)
    measured["staleness"] = {**steady["staleness"], "max": measured["staleness"]["max"]}
    measured["bubble_fraction"] = steady["bubble_fraction"]
    return Answer(program, {**_head(problem, program), **told, **measured,
                            "program": str(program)}, problem.profile)


def _lasting(problem: OrderProblem, minibatches: int) -> Experiment:
    """The problem's experiment with so many mini-batches."""
    return problem.experiment.changed({"pipeline.minibatches": minibatches})


def _run(problem: OrderProblem, program: Program) -> Trace:
    """The order as simulated, times and versions alone."""
    return run(_lasting(problem, program.shape.minibatches), program, training=False,
               profile=problem.profile)


def _head(problem: OrderProblem, program: Program) -> dict[str, Any]:
    """What was asked."""
    limit = problem.limit_bytes
    return {"stages": problem.stages, "devices": problem.devices,
            "microbatches": problem.microbatches, "max_staleness": problem.max_staleness,
            "memory_limit_bytes": None if math.isinf(limit) else limit,
            "mitigation": mitigation_of(problem).name, "placement": program.home[0].tolist()}


def _measured(problem: OrderProblem, trace: Trace) -> dict[str, Any]:
    """What the simulation of the order says: bubble, staleness and bytes.

    `peak_device_bytes` are as `sim run` reports them; `needed_device_bytes`, which the limit is
    for, have the state and workspace of each device besides.
    """
    found = report(trace)
    peaks = np.array(found["memory"]["peak_device_bytes"])
    more = problem.base_bytes - np.bincount(problem.device, problem.weight_bytes,
                                            minlength=problem.devices)
    return {"bubble_fraction": found["bubble_fraction"], "staleness": found["staleness"],
            "peak_device_bytes": peaks.tolist(), "needed_device_bytes": (peaks + more).tolist()}
