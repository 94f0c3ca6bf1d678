"""The search for an endless order: the shortest period under limits of staleness and memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

from analysis.ordering.bounds.period import period_bound_s
from analysis.ordering.bounds.shop import ticks
from analysis.ordering.periodic.cycle import Cycle, Scale, Weighed
from analysis.ordering.periodic.holding import mitigation_of, needed_bytes, staleness
from analysis.ordering.periodic.moves import moved
from analysis.ordering.periodic.named import named_cycles
from analysis.ordering.periodic.slots import Slots
from analysis.ordering.problem import OrderProblem
from sim.arrays import Floats, Ints
from sim.errors import ConfigurationError
from sim.mitigations import Mitigation

ABOVE = (0.0, 0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0,
         1.5, 2.0, 3.0, 5.0, 8.0, 12.0)  # by which shares periods tried for starts exceed the bound
TRIES = 60  # of each such period
STARTS = 4  # cycles that are improved in turn
FORGET = 400  # moves without gain after which the next one has its turn


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
    """The best endless order found in about so many `seconds`, or after so many `rounds` of looking
    at a cycle, when the same `seed` gives the same order.

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
    origin: str = ""
    best: Weighed | None = None
    named: dict[str, float] = field(default_factory=dict)
    pool: list[tuple[Weighed, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.until = perf_counter() + self.seconds
        self.scale, self.slots = Scale(self.problem), Slots(self.problem)

    @property
    def over(self) -> bool:
        """Whether to end: nothing better is possible, or time or rounds are up."""
        if self.best is not None and self.best.period_s <= self.bound_s:
            return True
        return (perf_counter() > self.until if self.rounds is None
                else self.looked >= self.rounds)

    def start(self) -> None:
        """Look at the named orders, then at some with fixed times at ever longer periods, half of
        the time at most."""
        for name, cycle in named_cycles(self.problem):
            found = self.look(cycle, name)
            if found is not None:
                self.named[name] = found.period_s
        half = perf_counter() + self.seconds / 2
        n = self.problem.microbatches
        least = max(1, int(ticks(self.bound_s)) // n)
        for above in ABOVE:
            each = least + int(least * above) + 1
            if self.over or (self.rounds is None and perf_counter() > half) or (
                    self.best is not None and each * n >= self.best.period):
                return
            for number in range(TRIES):
                made = self.slots.cycle(each, self.rng, whole=bool(number % 2))
                if made is not None and self.look(made, "fixed times") is not None:
                    break

    def look(self, cycle: Cycle, origin: str) -> Weighed | None:
        """Weigh a cycle that keeps the limits, and keep it where it is among the best; None where
        it does not, or cannot run."""
        self.looked += 1
        self.done()
        if (staleness(cycle, self.problem.stages).max() > self.problem.max_staleness
                or (needed_bytes(cycle, self.problem) > self.problem.limit_bytes).any()):
            return None
        found = self.scale.weigh(cycle)
        if found is None:
            return None
        self.pool = sorted([*self.pool, (found, origin)], key=lambda each: each[0].period)[:STARTS]
        if self.best is None or found.period < self.best.period:
            self.best, self.origin = found, origin
        return found

    def improve(self) -> None:
        """Move events of the best starts while that makes the period no longer."""
        n, limit = self.problem.microbatches, self.problem.max_staleness
        turn = 0
        while self.pool and not self.over:
            now, origin = self.pool[turn % len(self.pool)]
            idle = 0
            while idle < FORGET and not self.over:
                idle += 1
                cycle = moved(now, n, limit, self.rng)
                found = None if cycle is None else self.look(cycle, origin)
                if found is not None and found.period <= now.period:
                    idle = 0 if found.period < now.period else idle
                    now = found
            turn += 1
