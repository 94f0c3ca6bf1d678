"""A chain of moves from one order on, with its own luck: what a search has several of."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from analysis.ordering.climbing.loops import ALLOWED, CLIMB, JUDGED, NEVER
from analysis.ordering.climbing.tables import EMPTY, Tables
from analysis.ordering.problem import OrderProblem
from sim.arrays import Ints
from sim.kernels.pairs import NUMPY, Kernels

MEMORY = 300  # moves ago: whose order a new one may be as late as


class Climber:
    """Judges and improves the orders of one problem, compiled where `kernels` are."""

    def __init__(self, problem: OrderProblem, kernels: Kernels = NUMPY) -> None:
        self.compiled = kernels.compiled
        self.tables = Tables.of(problem, self.seen)
        self.devices = problem.devices
        self._judge, self._climb = kernels.of(JUDGED), kernels.of(CLIMB)
        self._allowed = kernels.of(ALLOWED)

    def seen(self, column: Any) -> Any:
        """A column as loops take it: an array where they are compiled, else a list."""
        return column if self.compiled else column.tolist()

    def warm_up(self) -> None:
        """Have the loops compiled, where they are to be, and were not yet."""
        codes = np.full(len(self.tables.places.owner), EMPTY)
        self.climb(Chain(codes, NEVER, 1), 1, 0.0)

    def makespan_s(self, codes: Ints) -> float:
        """Seconds until the last device is done with an order, codes of shape (rows,), infinite
        where some device has no room for it, or some pass can never run."""
        seen = self.seen(codes)
        if not all(self._allowed(self.tables, seen, device) for device in range(self.devices)):
            return math.inf
        found = float(self._judge(self.tables, seen))
        return math.inf if found == NEVER else found

    def climb(self, chain: Chain, moves: int, enough_s: float) -> int:
        """Try so many moves of a chain, or until its best order takes no more than `enough_s`
        seconds; how many orders were judged for it."""
        chain.found[2:] = 0.0, enough_s
        columns = [chain.order, chain.best, chain.luck, chain.bar, chain.found]
        seen = [self.seen(column) for column in columns]
        self._climb(self.tables, *seen, moves)
        for column, after in zip(columns, seen, strict=True):
            column[:] = after
        return int(chain.found[2])


class Chain:
    """Where one climb stands: its order and the best it met, codes of shape (rows,)."""

    def __init__(self, codes: Ints, makespan_s: float, luck: int) -> None:
        self.order, self.best = codes.copy(), codes.copy()
        self.luck = np.array([luck], dtype=np.int64)
        self.bar = np.full(MEMORY, makespan_s)
        self.found = np.array([makespan_s, makespan_s, 0.0, 0.0])

    @property
    def best_s(self) -> float:
        """Seconds of the best order met."""
        return float(self.found[1])

    def again_from(self, codes: Ints, makespan_s: float, leave: float) -> None:
        """Go on from another order, codes of shape (rows,), of so many seconds; at first orders
        are taken that take up to `leave` times as long."""
        self.order[:], self.best[:] = codes, codes
        self.bar[:] = makespan_s * leave
        self.found[:2] = makespan_s
