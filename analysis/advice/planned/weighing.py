"""Candidates weighed up: those that bounds show to be beaten are not run at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

from analysis.advice.pareto import pareto_front
from analysis.advice.planned.candidates import Candidate, Refused
from analysis.advice.question import Question
from analysis.theory.steady import SteadyState
from sim.arrays import Floats
from sim.rows import Row

SLACK = 1e-12  # of a throughput: what is as good but for rounding beats nothing


@dataclass
class Weighed:
    """What came of candidates: `rows` of those that were run, and how many were not, by why.

    `least_peak_bytes` are the bytes that the one that needs least has on its fullest device.
    """

    rows: list[Row] = field(default_factory=list)
    over_limit: int = 0
    inconsistent: int = 0
    beaten: int = 0
    not_reached: int = 0
    least_peak_bytes: float | None = None


def weigh(chosen: Sequence[Candidate], question: Question, size: int | None, refused: Refused,
          watch: Callable[[int, int], None], begun_s: float) -> Weighed:
    """Run what may be on the front, from the highest bound of the throughput on.

    What needs more memory than there is, or is inconsistent where that is ruled out, is counted;
    so is what one that has run beats even if it reached its bound.  `begun_s` is when the
    question's seconds began to count; what is not reached within them is counted too.
    """
    found = Weighed(least_peak_bytes=min((each.peak_bytes for each in chosen), default=None))
    fit = [each for each in chosen if each.peak_bytes <= question.memory_limit_bytes]
    allowed = [each for each in fit
               if not (question.consistent and each.known.row["inconsistent_fraction"])]
    found.over_limit, found.inconsistent = len(chosen) - len(fit), len(fit) - len(allowed)
    front = np.empty((0, 3))
    for number, each in enumerate(sorted(allowed, key=_place), 1):
        best = np.array([-_rate(each, each.running.least_s), each.peak_bytes, each.staleness])
        if _beaten(front, best):
            found.beaten += 1
        elif perf_counter() - begun_s > question.within_s and found.rows:
            found.not_reached += 1
        else:
            front = _with(front, _run(each, size, refused, found), each)
        watch(number, len(allowed))
    return found


def _rate(each: Candidate, period_s: float) -> float:
    """Micro-batches per second, of all workers."""
    own = each.running
    return own.key.microbatches * own.arrangement.workers / period_s if period_s else np.inf


def _place(each: Candidate) -> tuple[object, ...]:
    """By the bound of its throughput; of equals first what needs least, then the simplest."""
    own = each.running
    return (-_rate(each, own.least_s), each.peak_bytes, each.staleness, own.arrangement.devices,
            own.arrangement.ways, own.arrangement.workers, own.key, each.mitigation != "none",
            each.mitigation)


def _beaten(front: Floats, best: Floats) -> bool:
    """Whether something on the front, (points, 3), is at least as good as the best a candidate
    may be, (3,)."""
    least = np.array([best[0] + SLACK * abs(best[0]) if np.isfinite(best[0]) else -np.inf,
                      best[1], best[2]])
    return bool((front <= least).all(axis=1).any())


def _with(front: Floats, rate: float | None, each: Candidate) -> Floats:
    """The front with one more point, of which what it beats is gone."""
    if rate is None:
        return front
    more = np.vstack((front, [-rate, each.peak_bytes, each.staleness]))
    return more[pareto_front(more)]


def _run(each: Candidate, size: int | None, refused: Refused, found: Weighed) -> float | None:
    """Its micro-batches per second in the endless run, whose row is added; None where it has
    none."""
    own, endless = each.running, each.running.endless
    if not isinstance(endless, SteadyState):
        refused.add(own.key.schedule, str(endless))
        return None
    workers, count = own.arrangement.workers, own.key.microbatches
    rate = float(workers * count / endless.period)
    found.rows.append({
        "schedule": own.key.schedule, "microbatches": count, "backward": own.backward,
        "mitigation": each.mitigation, "refused": None,
        "batch_size": None if size is None else count * workers * size,
        "period_s": float(endless.period / workers),
        "minibatches_per_s": float(workers / endless.period), "microbatches_per_s": rate,
        "samples_per_s": None if size is None else float(workers * count * size / endless.period),
        "bubble_fraction": endless.bubble_fraction,
        "peak_bytes": each.peak_bytes,
        "device_bytes": {name: values.tolist() for name, values in vars(each.held).items()},
        **each.known.row, **own.arrangement.row})
    return rate
