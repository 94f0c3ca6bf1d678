"""Candidates weighed up: those that bounds show to be beaten are not run at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

from analysis.advice.pareto import pareto_front
from analysis.advice.planned.candidates import Asked, Candidate, Made, Running, rate
from analysis.advice.question import Question
from sim.arrays import Floats
from sim.rows import Row

SLACK = 1e-12  # of a throughput: what is as good but for rounding beats nothing


@dataclass
class Weighed:
    """What came of what was asked about: `rows` of candidates that `ran`, and how many did not, by
    why.

    `front` are throughputs (micro-batches per second) with their sign turned, peak bytes and
    staleness of what nothing beats so far, (points, 3).  Of orders that were not even made
    `orders_beaten` would be beaten at their bounds, `orders_not_reached` came too late.
    `least_peak_bytes` are the bytes that the candidate which needs least has on its fullest device.
    """

    rows: list[Row] = field(default_factory=list)
    ran: list[Candidate] = field(default_factory=list)
    front: Floats = field(default_factory=lambda: np.empty((0, 3)))
    candidates: int = 0
    over_limit: int = 0
    inconsistent: int = 0
    beaten: int = 0
    orders: int = 0
    orders_over_limit: int = 0
    orders_beaten: int = 0
    orders_not_reached: int = 0
    least_peak_bytes: float | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many there were and what became of them, by name."""
        return {"candidates": self.candidates, "run": len(self.rows), "beaten": self.beaten,
                "over_limit": self.over_limit, "inconsistent": self.inconsistent,
                "orders": self.orders, "orders_beaten": self.orders_beaten,
                "orders_over_limit": self.orders_over_limit,
                "orders_not_reached": self.orders_not_reached}

    def beats(self, most_per_s: float, least_bytes: float, staleness: float) -> bool:
        """Whether something on the front is at least as good as what does no more than
        `most_per_s` micro-batches per second, in no less than `least_bytes` bytes of the fullest
        device, at no less staleness."""
        least = np.array([-most_per_s * (1 - SLACK), least_bytes, staleness])
        return bool((self.front <= least).all(axis=1).any())

    def add(self, each: Candidate, row: Row) -> None:
        """One more that has run."""
        self.rows.append(row)
        self.ran.append(each)
        more = np.vstack((self.front, [-row["microbatches_per_s"], each.peak_bytes,
                                       each.staleness]))
        self.front = more[pareto_front(more)]

    def rules_out(self, each: Candidate, question: Question) -> bool:
        """Whether a candidate need not be run, which is counted by why."""
        self.candidates += 1
        peak, least = each.peak_bytes, self.least_peak_bytes
        self.least_peak_bytes = peak if least is None else min(peak, least)
        over = peak > question.memory_limit_bytes
        mixed = not over and question.consistent and each.known.row["inconsistent_fraction"] > 0
        own = each.running
        beaten = not over and not mixed and self.beats(
            rate(own.arrangement, own.key, own.least_s), peak, each.staleness)
        self.over_limit += over
        self.inconsistent += bool(mixed)
        self.beaten += beaten
        return bool(over or mixed or beaten)


def weigh(asked: Sequence[Asked], made: Made, size: int | None,
          watch: Callable[[int, int], None], until_s: float) -> Weighed:
    """Run what may be on the front, in the order in which it is asked about.

    An order is not made where one that has run is at least as good as its bounds; and of those that
    are made only what may be on the front is run.  No order is begun once the clock has come to
    `until_s`, in seconds, but the first that has rows.  `watch` takes how many are done, and of how
    many; `size` are the samples of a micro-batch.
    """
    found, question = Weighed(orders=len(asked)), made.question
    for number, each in enumerate(asked, 1):
        watch(number, len(asked))
        if each.least_bytes > question.memory_limit_bytes and found.least_peak_bytes is not None:
            found.orders_over_limit += 1
        elif found.beats(each.most_per_s, each.least_bytes, 0.0):
            found.orders_beaten += 1
        elif perf_counter() > until_s and found.rows:
            found.orders_not_reached += 1
        else:
            for candidate in sorted(made.candidates(each), key=_place):
                if not found.rules_out(candidate, question):
                    row = row_of(candidate, size)
                    if isinstance(row, str):
                        made.refused.add(each.key.schedule, row)
                    else:
                        found.add(candidate, row)
    return found


def _place(each: Candidate) -> tuple[object, ...]:
    """By the bound of its throughput; of equals first what needs least, then the simplest."""
    return (each.running.least_s, each.peak_bytes, each.staleness, each.mitigation != "none",
            each.mitigation)


def row_of(each: Candidate, size: int | None) -> Row | str:
    """What a candidate's endless run is like, as a row, or why there is none.

    `size` are the samples of a micro-batch.
    """
    own, endless = each.running, each.running.endless
    if isinstance(endless, str):
        return endless
    workers, count = own.arrangement.workers, own.key.microbatches
    return {
        "schedule": own.key.schedule, "microbatches": count, "backward": own.backward,
        "mitigation": each.mitigation, "refused": None,
        "batch_size": None if size is None else count * workers * size,
        "period_s": float(endless.period / workers),
        "minibatches_per_s": float(workers / endless.period),
        "microbatches_per_s": each.rate,
        "samples_per_s": None if size is None else float(workers * count * size / endless.period),
        "bubble_fraction": endless.bubble_fraction,
        "peak_bytes": each.peak_bytes,
        "device_bytes": {name: values.tolist() for name, values in vars(each.held).items()},
        **each.known.row, **own.arrangement.row, **_warmup(own)}


def _warmup(own: Running) -> Row:
    """The warm-up of an order that has another than its schedule's own, and its short name."""
    if own.key.warmup is None:
        return {"warmup": None}
    return {"warmup": own.key.warmup,
            "laid_out": f"{own.arrangement.laid_out}-w{own.key.warmup}"}
