"""The search for an endless order: the shortest period under limits of staleness and memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

from analysis.ordering.bounds.period import period_bound_s
from analysis.ordering.bounds.shop import ticks
from analysis.ordering.periodic.cycle import Cycle, Scale, Weighed
from analysis.ordering.periodic.holding import mitigation_of, needed_bytes, staleness
from analysis.ordering.periodic.moves import moved
from analysis.ordering.periodic.named import flushed_cycle, named_cycles
from analysis.ordering.periodic.slots import Slots
from analysis.ordering.problem import OrderProblem
from sim.arrays import Floats, Ints
from sim.errors import ConfigurationError
from sim.mitigations import Mitigation
from sim.times.costs import TICK

ABOVE = (0.0, 0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0,
         1.5, 2.0, 3.0, 5.0, 8.0, 12.0)  # by which shares periods tried for starts exceed the bound
TRIES = 60  # of each such period
FEW = 20  # of a start between improvements
AROUND = 1.2  # how far above the best period those are tried
STARTS = 4  # cycles that are improved first
FORGET = 12  # moves for each event without gain after which the next one has its turn
FIXED = "fixed times"


@dataclass(frozen=True)
class Endless:
    """An order without a flush: its cycle, seconds a mini-batch, updates behind and bytes needed.

    `staleness` is the most updates behind that forwards read, (stages,), `needed_bytes` what each
    device needs, (devices,); `searched` counts the cycles looked at, and `named` are the periods of
    the named orders that keep the limits.  `start` says what it was made from.
    """

    cycle: Cycle
    period_s: float
    staleness: Ints
    needed_bytes: Floats
    searched: int
    start: str
    named: dict[str, float]


def endless_order(problem: OrderProblem, *, seconds: float = 10.0, rounds: int | None = None,
                  seed: int = 0, bound_s: float | None = None,
                  done: Callable[[], None] = lambda: None) -> Endless:
    """The best endless order found in about so many `seconds`, or after so many `rounds` of making
    a cycle, when the same `seed` gives the same order.

    It ends early where the period is `bound_s` (None: that of `period_bound_s`), below which none
    is.  `done` is called after each cycle.  Raises ConfigurationError where the mitigation reads
    older weights by a rule of its own, or no order keeps the limits.
    """
    rule = mitigation_of(problem)
    if type(rule).forward_version is not Mitigation.forward_version:
        raise ConfigurationError([f"pipeline.mitigation: {rule.name} says itself which version "
                                  "forwards read; an order without a flush is found where they "
                                  "read the latest (none, stash, …)"])
    search = _Search(problem, seconds, rounds, np.random.default_rng(seed),
                     period_bound_s(problem) if bound_s is None else bound_s, done)
    search.start()
    search.improve()
    if search.best is None:
        raise ConfigurationError(["--max-staleness: no order was found that keeps it and "
                                  "--memory-limit; the flushed ones need the least memory: "
                                  "--max-staleness 0"])
    cycle = search.best.cycle
    return Endless(cycle, search.best.period_s, staleness(cycle, problem.stages),
                   needed_bytes(cycle, problem), search.looked, search.origin, search.named)


@dataclass
class _Search:
    problem: OrderProblem
    seconds: float
    rounds: int | None
    rng: np.random.Generator
    bound_s: float
    done: Callable[[], None]
    looked: int = 0
    steps: int = 0
    origin: str = ""
    best: Weighed | None = None
    named: dict[str, float] = field(default_factory=dict)
    pool: list[tuple[Weighed, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.until = perf_counter() + self.seconds
        self.scale, self.slots = Scale(self.problem), Slots(self.problem)
        self.least = max(1, int(ticks(self.bound_s)) // self.problem.microbatches)

    @property
    def over(self) -> bool:
        """Whether to end: nothing better is possible, or time or rounds are up."""
        if self.best is not None and self.best.period_s <= self.bound_s:
            return True
        return (perf_counter() > self.until if self.rounds is None
                else self.steps >= self.rounds)

    def start(self) -> None:
        """Look at the named orders, then at some with fixed times at ever longer periods, for half
        of the time at most; the best are what is improved then."""
        for name, cycle in named_cycles(self.problem):
            found = self.look(cycle, name)
            if found is not None:
                self.named[name] = found.period_s
                self.pool.append((found, name))
        flushed = flushed_cycle(self.problem)
        if flushed is not None and (found := self.look(flushed[1], flushed[0])) is not None:
            self.pool.append((found, flushed[0]))
        half = perf_counter() + self.seconds / 2
        for above in ABOVE:
            each = self.least + int(self.least * above) + 1
            if self.over or (self.rounds is None and perf_counter() > half) or (
                    self.best is not None
                    and each * self.problem.microbatches >= self.best.period):
                break
            made = self.fixed(each, TRIES)
            if made is not None:
                self.pool.append(made)
        self.pool = sorted(self.pool, key=lambda each: each[0].period)[:STARTS]

    def fixed(self, each: int, tries: int) -> tuple[Weighed, str] | None:
        """A cycle with fixed times in which a micro-batch follows the other after `each` ticks;
        None where so many tries made none that keeps the limits."""
        for number in range(tries):
            self.steps += 1
            made = self.slots.cycle(each, self.rng, whole=bool(number % 2))
            found = None if made is None else self.look(made, FIXED)
            if found is not None:
                return found, FIXED
        return None

    def look(self, cycle: Cycle, origin: str, like: Weighed | None = None) -> Weighed | None:
        """Weigh a cycle that keeps the limits, and keep it where it is the best; None where it does
        not, cannot run, or has a longer period than the one it is `like`."""
        self.looked += 1
        self.done()
        problem = self.problem
        if staleness(cycle, problem.stages).max() > problem.max_staleness or (
                problem.limit_bytes < math.inf
                and (needed_bytes(cycle, problem) > problem.limit_bytes).any()):
            return None
        found = self.scale.weigh(cycle, like)
        if found is not None and (self.best is None or found.period < self.best.period):
            self.best, self.origin = found, origin
        return found

    def improve(self) -> None:
        """Improve the best starts one after another, then in turn the best of all and others with
        fixed times at periods up to somewhat above it."""
        turn = 0
        while self.best is not None and not self.over:
            begin = self.pool[turn] if turn < len(self.pool) else (self.best, self.origin)
            if turn >= len(self.pool) and turn % 2:
                each = self.best.period_s * self.rng.uniform(1.0, AROUND) / TICK
                each = max(self.least, int(each) // self.problem.microbatches)
                begin = self.fixed(each, FEW) or begin
            self.climb(*begin)
            turn += 1

    def climb(self, now: Weighed, origin: str) -> None:
        """Move events of a cycle while that makes its period no longer, until it has not made it
        shorter for a while."""
        idle, forget = 0, FORGET * sum(map(len, now.cycle.devices))
        while idle < forget and not self.over:
            idle += 1
            self.steps += 1
            cycle = moved(now, self.problem.microbatches, self.problem.max_staleness, self.rng)
            found = None if cycle is None else self.look(cycle, origin, now)
            if found is not None:
                idle = 0 if found.period < now.period else idle
                now = found
