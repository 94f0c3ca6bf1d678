"""Every pipeline that is looked at, with what is known of it without its times."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from time import perf_counter

from analysis.advice.footprint import Footprint, in_bytes
from analysis.advice.planned.arrangement import Arrangement
from analysis.advice.planned.layers import Layers
from analysis.advice.planned.machine import Machine
from analysis.advice.planned.orders import Key, Known, Order, order_of
from analysis.advice.planned.space import arrangements, microbatches_of, schedules_on
from analysis.advice.question import Question
from sim.errors import ConfigurationError
from sim.mitigations import MITIGATIONS
from sim.numerics.stage import Backward

NO_INPUT = "recompute keeps a stage's input: the profile does not say its input_bytes"


@dataclass(frozen=True, eq=False)
class Running:
    """An order on an arrangement, whatever its mitigation: `machine` is what it takes there, and
    no mini-batch of its endless run takes less than `least_s` seconds."""

    arrangement: Arrangement
    key: Key
    backward: Backward
    machine: Machine
    least_s: float

    @cached_property
    def endless(self) -> object:
        """Its endless run, or why there is none: as `Machine.endless` has it, found once."""
        return self.machine.endless()


@dataclass(frozen=True, eq=False)
class Candidate:
    """A pipeline to consider: what runs, under a mitigation, with the bytes that takes."""

    running: Running
    mitigation: str
    known: Known
    held: Footprint

    @property
    def peak_bytes(self) -> float:
        """Bytes of the fullest device at its worst moment."""
        return float(self.held.peak.max())

    @property
    def staleness(self) -> float:
        """Effective updates behind, the mean over stages, forwards and backwards."""
        return float(self.known.row["staleness_mean"])


@dataclass
class Refused:
    """What cannot run: how many candidates by the schedule or mitigation that they have, and the
    first reason."""

    count: dict[str, int] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, why: str) -> None:
        """One more that cannot run."""
        self.count[name] = self.count.get(name, 0) + 1
        self.why.setdefault(name, why)

    @property
    def rows(self) -> list[dict[str, object]]:
        """As an advice tells them."""
        return [{"name": name, "count": count, "why": self.why[name]}
                for name, count in sorted(self.count.items())]


def candidates(question: Question, layers: Layers, refused: Refused,
               watch: Callable[[int, int], None], until_s: float = math.inf
               ) -> tuple[list[Candidate], int]:
    """Every candidate of a question that can run, and of how many orders none were made for want
    of time; `refused` is told of those that cannot.

    On an order of which no pass is ever stale all mitigations are the same, so only one is looked
    at.  Orders are made from those on that may be fastest until the clock says `until_s`; `watch`
    takes how many are done, and of how many.
    """
    orders: dict[Key, Order | str] = {}
    found: list[Candidate] = []
    asked = sorted(((place, key) for place in arrangements(question, layers)
                    for key in _keys(question, layers, place)), key=_hopes)
    for number, (place, key) in enumerate(asked, 1):
        if perf_counter() > until_s and found:
            return found, len(asked) - number + 1
        order = orders.get(key)
        if order is None:
            order = orders[key] = order_of(key)
        if isinstance(order, str):
            refused.add(key.schedule, order)
        else:
            found += _of_order(question, place, key, order, refused)
        watch(number, len(asked))
    return found, 0


def _hopes(asked: tuple[Arrangement, Key]) -> tuple[float, Key]:
    """What an order is to be made by: the seconds of its fullest device for a micro-batch, the
    least first, of as many micro-batches as there may be."""
    place, key = asked
    seconds = [stage.forward_s + stage.backward_s for stage in place.stages.stages]
    shared = place.replicas or (1,) * place.depth
    fullest = max(sum(seconds[device::place.depth]) / many for device, many in enumerate(shared))
    return fullest / place.workers / key.microbatches, key


def _keys(question: Question, layers: Layers, place: Arrangement) -> Iterator[Key]:
    counts = microbatches_of(question, layers)
    if question.batch_sizes:  # of all workers together
        counts = [count // place.workers for count in counts if count % place.workers == 0]
    for schedule in schedules_on(place, question):
        for count in [1] if place.replicas is not None else counts:
            yield Key(schedule.name, len(place.counts), place.chunks, count, place.replicas)


def _of_order(question: Question, place: Arrangement, key: Key, order: Order, refused: Refused
              ) -> Iterator[Candidate]:
    for backward in dict.fromkeys(question.backwards):
        if backward == "recompute" and any(s.input_bytes is None for s in place.stages.stages):
            refused.add("recompute", NO_INPUT)
            continue
        try:
            machine = Machine.of(order, place, backward)
        except ConfigurationError as error:
            refused.add(key.schedule, "; ".join(error.problems))
            continue
        running = Running(place, key, backward, machine, machine.least_period_s())
        for mitigation in _mitigations(question, order):
            known = order.under(mitigation)
            if isinstance(known, str):
                refused.add(mitigation, known)
            else:
                yield Candidate(running, mitigation, known, in_bytes(
                    known.holdings, place.stages, backward, question.state_copies))


def _mitigations(question: Question, order: Order) -> Sequence[str]:
    names = list(dict.fromkeys(question.mitigations)) or sorted(
        MITIGATIONS.names(), key=lambda name: (name != "none", name))
    if not order.fresh:
        return names
    return ["none"] if "none" in names else names[:1]
