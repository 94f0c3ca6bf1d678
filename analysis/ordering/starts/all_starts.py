"""All orders that a search starts from, the best first."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from analysis.ordering.budget import Budget
from analysis.ordering.climbing.chain import Climber
from analysis.ordering.judge import judge
from analysis.ordering.problem import OrderProblem
from analysis.ordering.starts.greedy import QUICK, greedy_order, one_at_a_time, tastes
from analysis.ordering.starts.named import named_orders
from analysis.ordering.streams import Pass, codes_of, halved
from sim.arrays import Ints

ONE = "one micro-batch at a time"


@dataclass(frozen=True, eq=False)
class Start:
    """An order to start from: its name, whether it is a known one as it is, its codes, (rows,), and
    its seconds."""

    name: str
    named: bool
    codes: Ints
    makespan_s: float


def starts_of(problem: OrderProblem, climber: Climber, budget: Budget) -> list[Start]:
    """The orders that fit a problem's limit, the best first; of the known ones all, of others each
    but once.

    They are the known ones, those with whole backwards made two halves, the greedy ones, and one
    micro-batch at a time, which fits where any order does.  Where so many take more than half of a
    budget of seconds, it is left at the known ones and two greedy ones.
    """
    found: dict[bytes, Start] = {}
    twins: list[Start] = []
    made = 0
    for name, named, streams in _orders(problem):
        made += not named
        codes = codes_of(streams)
        if named or codes.tobytes() not in found:
            makespan_s = climber.makespan_s(codes)
            if math.isfinite(makespan_s):
                start = Start(name, named, codes, makespan_s)
                if found.setdefault(codes.tobytes(), start) is not start:
                    twins.append(start)
        if found and made >= len(QUICK) and budget.rounds is None and budget.part > 0.5:
            break
    if not found:  # by rounding alone: bytes that are no whole numbers
        streams = one_at_a_time(problem)
        return [Start(ONE, False, codes_of(streams), judge(problem, streams).makespan_s)]
    return sorted([*found.values(), *twins], key=lambda start: start.makespan_s)


def _orders(problem: OrderProblem) -> Iterator[tuple[str, bool, list[list[Pass]]]]:
    named = named_orders(problem)
    for name, known in named.items():
        yield name, True, known
    for name, taste in tastes(problem).items():
        streams = greedy_order(problem, taste)
        if streams is not None:
            yield name, False, streams
    for name, known in named.items():
        yield f"{name}, backwards split", False, halved(known)
    yield ONE, False, one_at_a_time(problem)
