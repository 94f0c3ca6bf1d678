"""The orders whose staleness is uneven, and their even twins, as tables of forwards done."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from figures.methods import BACKWARD_S, FORWARD_S
from figures.pictures.dynamic.written import drained, even, forwards_before, total_delay
from sim.arrays import Ints
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.order.program import Program

STAGES, MINIBATCHES = 8, 400
SIGMA = 0.6  # of the jitter
WINDOW_S, SLOW = 60.0, 4.0  # a straggler slows one stage by so much for so long, then another
DRAIN = 16  # mini-batches between two drains
EVENED = " evened"  # after the name of an order: its twin


class Case(NamedTuple):
    """An order whose staleness is uneven: what figures call it, and what its twin evens out."""

    title: str
    twin: str


CASES = {
    "jitter": Case("jitter", "in time"),
    "stragglers": Case("stragglers", "in time"),
    "drained": Case(f"drained every {DRAIN}", "in time"),
    "by stage": Case("1F1B: S−1−k", "over stages"),
}

@cache
def table(order: str, draw: int) -> Ints:
    """How many forwards each stage has done before each of its backwards, (stages, mini-batches).

    Evened, every stage is late by its own mean all the while; 1F1B evened, every stage by the mean
    of all of them.
    """
    if order.endswith(EVENED):
        uneven = order.removesuffix(EVENED)
        totals = total_delay(table(uneven, draw)).astype(float)
        if CASES[uneven].twin == "over stages":
            totals[:] = totals.mean()
        return even(totals.tolist(), MINIBATCHES)
    if order == "drained":
        return drained(STAGES, MINIBATCHES, DRAIN)
    if order == "by stage":
        return drained(STAGES, MINIBATCHES, MINIBATCHES)
    return forwards_before(recorded(order, draw))


def recorded(order: str, draw: int) -> Program:
    """The order that came about under greedy dispatch, with jitter or with stragglers."""
    windows = int(2 * MINIBATCHES * (FORWARD_S + BACKWARD_S) / WINDOW_S)
    noise: dict[str, Any] = {"jitter": {"sigma": SIGMA}} if order == "jitter" else {
        "stragglers": [{"stage": 3 * number % STAGES, "factor": SLOW, "from_s": number * WINDOW_S,
                        "to_s": (number + 1) * WINDOW_S} for number in range(1, windows)]}
    return run(resolve({
        "pipeline": {"stages": STAGES, "minibatches": MINIBATCHES, "dispatch": "greedy"},
        "costs": {"forward_s": FORWARD_S, "backward_s": BACKWARD_S, **noise},
        "training": {"task": "none", "seed": draw}})).program()
