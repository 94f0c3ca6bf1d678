"""All orders that a search starts from, the best first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from analysis.ordering.judge import judge
from analysis.ordering.problem import OrderProblem
from analysis.ordering.starts.greedy import greedy_order, one_at_a_time, tastes
from analysis.ordering.starts.named import named_orders
from analysis.ordering.streams import Pass, halved

ONE = "one micro-batch at a time"


@dataclass(frozen=True)
class Start:
    """An order to start from: its name, whether it is a known one as it is, its streams by device,
    and its seconds."""

    name: str
    named: bool
    streams: list[list[Pass]]
    makespan_s: float


def starts_of(problem: OrderProblem) -> list[Start]:
    """The orders that fit a problem's limit, the best first, each but once.

    They are the known ones, those with whole backwards made two halves, the greedy ones, and one
    micro-batch at a time, which fits where any order does.
    """
    found: list[Start] = []
    for name, named, streams in _orders(problem):
        if named or all(streams != other.streams for other in found):
            judged = judge(problem, streams)
            if judged.fits(problem):
                found.append(Start(name, named, streams, judged.makespan_s))
    if not found:  # by rounding alone: bytes that are no whole numbers
        plain = one_at_a_time(problem)
        found = [Start(ONE, False, plain, judge(problem, plain).makespan_s)]
    return sorted(found, key=lambda start: start.makespan_s)


def _orders(problem: OrderProblem) -> Iterator[tuple[str, bool, list[list[Pass]]]]:
    named = named_orders(problem)
    for name, streams in named.items():
        yield name, True, streams
    for name, streams in named.items():
        yield f"{name}, backwards split", False, halved(streams)
    for name, taste in tastes(problem).items():
        yield name, False, greedy_order(problem, taste)
    yield ONE, False, one_at_a_time(problem)
