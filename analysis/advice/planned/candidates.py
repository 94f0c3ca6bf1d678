"""Every pipeline that is looked at, with what is known of it without its times."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from analysis.advice.footprint import Footprint, in_bytes
from analysis.advice.planned.arrangement import Arrangement
from analysis.advice.planned.layers import Layers
from analysis.advice.planned.machine import Machine
from analysis.advice.planned.orders import Key, Known, Order, order_of
from analysis.advice.planned.space import arrangements, microbatches_of, schedules_on
from analysis.advice.question import Question
from analysis.theory.steady import SteadyState
from sim.errors import ConfigurationError
from sim.mitigations import MITIGATIONS
from sim.numerics.stage import Backward
from sim.schedules import SCHEDULES
from sim.schedules.replicas.hybrid import enough, in_flight
from sim.times.costs import TICK
from sim.times.profile import StageProfile

WARMUP = "warmup"  # the option of schedules that do as many forwards first as they are told
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
    def endless(self) -> SteadyState | str:
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
    def rate(self) -> float:
        """Micro-batches per second of all workers in the endless run; 0 where it has none."""
        endless = self.running.endless
        if isinstance(endless, str):
            return 0.0
        return float(self.running.arrangement.workers * self.running.key.microbatches
                     / endless.period)

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


@dataclass(frozen=True, eq=False)
class Asked:
    """An order on an arrangement that is asked about, before it is made.

    `least_s` are seconds that a mini-batch takes at least, and `least_bytes` bytes that the fullest
    device has at least, whatever the order's passes wait for and hold.
    """

    place: Arrangement
    key: Key
    least_s: float
    least_bytes: float

    @classmethod
    def of(cls, place: Arrangement, key: Key, state_copies: float) -> Asked:
        """What is asked about with its bounds: no device works faster than one pass after another,
        and each of its stages has weights and all that a micro-batch's backward needs.

        What a device has of stages is known where it has one; else all devices share the work.
        """
        layers, n = place.stages.stages, key.microbatches
        seconds = np.array([n * (each.forward_s + _backward_s(each)) + each.update_s
                            for each in layers])
        seconds -= (2 * n + 1) * TICK  # as each is rounded
        alone = place.chunks == 1 and SCHEDULES[key.schedule].homes == 1
        share = np.array(place.replicas or [1] * len(layers))
        least_s = (seconds / share).max() if alone else seconds.sum() / place.depth
        least_bytes = max((1 + state_copies) * (each.weight_bytes or 0.0)
                          + (each.activation_bytes or 0.0) + (each.workspace_bytes or 0.0)
                          for each in layers)
        return cls(place, key, max(0.0, float(least_s)), least_bytes)

    @property
    def most_per_s(self) -> float:
        """Micro-batches per second, of all workers, that it cannot exceed."""
        return rate(self.place, self.key, self.least_s)


def _backward_s(stage: StageProfile) -> float:
    """Seconds of a backward, or of its halves where those are shorter."""
    half = stage.backward_s / 2
    halves = [half if each is None else each
              for each in (stage.input_backward_s, stage.weight_backward_s)]
    return min(stage.backward_s, sum(halves))


def rate(place: Arrangement, key: Key, period_s: float) -> float:
    """Micro-batches per second, of all workers, where a mini-batch takes `period_s` seconds."""
    return place.workers * key.microbatches / period_s if period_s else math.inf


def asked_for(question: Question, layers: Layers) -> list[Asked]:
    """Every order on every arrangement that a question asks about, from those on that may be
    fastest, of equals those that need least."""
    found = [Asked.of(place, key, question.state_copies)
             for place in arrangements(question, layers)
             for key in _keys(question, layers, place)]
    return sorted(found, key=lambda each: (-each.most_per_s, each.least_bytes,
                                           each.place.devices, each.place.ways,
                                           each.key[:-1], each.key.warmup or 0))


@dataclass
class Made:
    """The orders that were made so far, each once; `refused` is told of what cannot run."""

    question: Question
    refused: Refused
    orders: dict[Key, Order | str] = field(default_factory=dict)

    def candidates(self, asked: Asked) -> Iterator[Candidate]:
        """The candidates that have an order on an arrangement.

        On an order of which no pass is ever stale all mitigations are the same, so only one is
        looked at.
        """
        key = asked.key
        if key not in self.orders:
            self.orders[key] = order_of(key)
        order = self.orders[key]
        if isinstance(order, str):
            self.refused.add(key.schedule, order)
            return
        yield from _of_order(self.question, asked.place, key, order, self.refused)


def _keys(question: Question, layers: Layers, place: Arrangement) -> Iterator[Key]:
    counts = microbatches_of(question, layers)
    if question.batch_sizes:  # of all workers together
        counts = [count // place.workers for count in counts if count % place.workers == 0]
    for schedule in schedules_on(place, question):
        for count in [1] if place.replicas is not None else counts:
            key = Key(schedule.name, len(place.counts), place.chunks, count, place.replicas)
            yield key
            if place.replicas is not None and WARMUP in schedule.takes:
                yield from _waiting_less(key, place.replicas)


def _waiting_less(key: Key, replicas: Sequence[int]) -> Iterator[Key]:
    """The same with the warm-up with which none waits on free links, where the default's is not
    such: by PipeDream's, replicas that do not divide the devices behind them wait."""
    wanted = enough(replicas)
    if wanted != in_flight(replicas):
        yield key._replace(warmup=wanted[0])


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
