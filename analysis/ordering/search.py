"""The search for an order: from the known ones, move by move, for as long as it is given.

Known orders that fit the memory limit are the starts, and greedy ones; the best few are improved by
thousands of moves a second (`analysis.ordering.climbing`).  A move puts one pass of a device
elsewhere in its order: a weight half into a gap, a forward before a backward, a warm-up one deeper;
most are tried on the longest path, since nothing else can make an order shorter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analysis.ordering.budget import Budget
from analysis.ordering.climbing.chain import Chain, Climber
from analysis.ordering.judge import judge
from analysis.ordering.places import better_placed
from analysis.ordering.problem import OrderProblem
from analysis.ordering.starts.all_starts import Start, starts_of
from analysis.ordering.streams import program_of, streams_in
from sim.arrays import Floats, Ints
from sim.errors import ConfigurationError
from sim.kernels.pairs import NUMBA, NUMPY, Kernels, loads
from sim.order.program import Program

CHAINS = 4  # climbs side by side
PLACING = 0.3  # what part of a search is for where stages live
LEAVE = 0.004  # of its seconds that a climb may first lose when it goes on from another order
MOVES_WITHOUT_GAIN = 30_000  # after which a climb goes on from the best order of all
SLICE = 2000  # moves of one climb before it is another's turn
WORTH_COMPILING_S = 4.0  # loading numba takes a second, compiling for the first time six
WORTH_COMPILING = 20_000  # moves

Progress = Callable[[float, float, int], None]
"""Told, now and then: what part of a search is done, the best seconds so far, orders judged."""


@dataclass(frozen=True)
class Found:
    """The best order that a search met, and what it was better than.

    `program` is one mini-batch of it, `makespan_s` its seconds and `peak_bytes` the bytes that each
    device holds at most, (devices,).  `start` names the order that it was made from, of those in
    `starts_s`, by name the seconds of every order that the search began with; `named_s` are those
    of the known ones that fit.  `judged` counts the orders that were judged in `searched_s`
    seconds.
    """

    program: Program
    makespan_s: float
    peak_bytes: Floats
    start: str
    starts_s: dict[str, float]
    named_s: dict[str, float]
    judged: int
    searched_s: float


def search(problem: OrderProblem, *, seconds: float = 10.0, rounds: int | None = None,
           seed: int = 0, bound_s: float = 0.0, move_stages: bool = False,
           kernels: Kernels | None = None, progress: Progress | None = None) -> Found:
    """The best order found in so many seconds, or in `rounds` moves, which does not depend on
    the machine: the same problem, rounds and seed give the same order.

    It ends sooner where an order takes no more than `bound_s` seconds, for which a lower bound is
    a good value.  With `move_stages` stages may live on other devices than the problem says, for
    which a part of the search is spent; a bound is then one for all places.  Compiling the loops
    for the first time takes some seconds, which do not count.

    Raises ConfigurationError for orders that are not flushed.
    """
    if problem.max_staleness:
        raise ConfigurationError([f"--max-staleness: this search is for flushed orders, which read "
                                  f"weights 0 updates old; got {problem.max_staleness}"])
    kernels = kernels or _worth(seconds, rounds)
    climber = Climber(problem, kernels)
    climber.warm_up()
    budget = Budget(seconds, rounds)
    starts = starts_of(problem, climber, budget)
    named_s = {each.name: each.makespan_s for each in starts if each.named}
    tried = len(starts)
    if move_stages and starts[0].makespan_s > bound_s:
        placed = better_placed(problem, starts, budget.until(PLACING), seed, kernels)
        problem, starts, named_s = placed.problem, placed.starts, placed.named_s
        climber, tried = Climber(problem, kernels), placed.judged
    found = _improved(climber, starts, budget, seed, bound_s, progress)
    streams = streams_in(found.codes.tolist(), problem)
    judged = judge(problem, streams)
    return Found(program_of(problem, streams), judged.makespan_s, judged.peak_bytes, found.start,
                 {each.name: each.makespan_s for each in starts}, named_s, tried + found.judged,
                 budget.passed_s)


def _worth(seconds: float, rounds: int | None) -> Kernels:
    """Compiled loops where there is enough to do for them, and numba."""
    enough = seconds >= WORTH_COMPILING_S if rounds is None else rounds >= WORTH_COMPILING
    return NUMBA if enough and loads() else NUMPY


@dataclass
class _Best:
    """The best order so far, its codes, (rows,), and seconds; where from, and orders judged."""

    codes: Ints
    makespan_s: float
    start: str
    judged: int = 0


def _improved(climber: Climber, starts: list[Start], budget: Budget, seed: int, bound_s: float,
              progress: Progress | None) -> _Best:
    """The best order that climbs from the best starts meet."""
    luck = np.random.default_rng(seed).integers(1, 2**32 - 1, size=CHAINS + 1)
    alike = {each.codes.tobytes(): each for each in reversed(starts)}  # of twins the first
    first = sorted(alike.values(), key=starts.index)[:CHAINS]
    chains = [Chain(each.codes, each.makespan_s, int(number))
              for each, number in zip(first, luck, strict=False)]
    names, idle = [each.name for each in first], [0] * len(chains)
    best, again = _Best(first[0].codes, first[0].makespan_s, first[0].name), 0
    for turn, moves in enumerate(budget.slices(SLICE)):
        if best.makespan_s <= bound_s:
            break
        which = turn % len(chains)
        chain, before = chains[which], chains[which].best_s
        best.judged += climber.climb(chain, moves, bound_s)
        idle[which] = 0 if chain.best_s < before else idle[which] + moves
        if chain.best_s < best.makespan_s:
            best.codes, best.makespan_s = chain.best.copy(), chain.best_s
            best.start = names[which]
        if idle[which] >= MOVES_WITHOUT_GAIN:
            again += 1
            chain.again_from(best.codes, best.makespan_s, 1.0 + LEAVE * (again % 5))
            names[which], idle[which] = best.start, 0
        if progress is not None:
            progress(budget.part, best.makespan_s, best.judged)
    return best
