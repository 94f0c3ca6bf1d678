"""Steps from one cycle to another: an event changes places with those before or after it."""

from __future__ import annotations

import numpy as np

from analysis.ordering.periodic.cycle import Cycle, Event, Weighed
from sim.op import Op

FURTHEST = 4  # events that a move passes at once
ASIDE = 0.2  # how often a move is of any event, not of one on the critical cycle


def moved(weighed: Weighed, microbatches: int, max_staleness: int, rng: np.random.Generator
          ) -> Cycle | None:
    """The cycle with one event drawn earlier or later in its device's period; None where what it
    depends on, or what depends on it, stands beside it.

    It goes past one to `FURTHEST` others, as far as the order of a stage's passes and the limit of
    staleness let it.
    """
    cycle = weighed.cycle
    if weighed.critical and rng.random() > ASIDE:
        device, number = weighed.critical[rng.integers(len(weighed.critical))]
    else:
        device = int(rng.integers(len(cycle.devices)))
        number = int(rng.integers(len(cycle.devices[device])))
    events, later = list(cycle.devices[device]), bool(rng.integers(2))
    steps = 0
    for _ in range(int(rng.integers(1, FURTHEST + 1))):
        first = number if later else number - 1
        if len(events) < 2 or not _swap(events, first % len(events), microbatches, max_staleness):
            break
        number = (number + (1 if later else -1)) % len(events)
        steps += 1
    if not steps:
        return None
    return Cycle((*cycle.devices[:device], tuple(events), *cycle.devices[device + 1:]))


def _swap(events: list[Event], first: int, microbatches: int, max_staleness: int) -> bool:
    """Let the event after `first` come before it, in place; False where it depends on it.

    After a period's last event comes the next period's first.
    """
    before, wraps = events[first], first + 1 == len(events)
    after = events[0 if wraps else first + 1]
    if wraps:  # as this period sees it
        after = after._replace(shift=after.shift - 1)
    if not may_swap(before, after, microbatches, max_staleness):
        return False
    events[first] = after
    events[0 if wraps else first + 1] = (before._replace(shift=before.shift + 1) if wraps
                                         else before)
    return True


def may_swap(before: Event, after: Event, microbatches: int, max_staleness: int) -> bool:
    """Whether two neighbours in one period may change places.

    Not where they are the same kind of pass of one stage, parts of the same micro-batch, an update
    and what completes its gradient, or the update that a forward must not be without.
    """
    if before.stage != after.stage:
        return True
    if before.op is Op.U:
        return not (after.op is Op.F and before.shift - after.shift == max_staleness + 1)
    if after.op is Op.U:
        return before.op is Op.F or before.shift != after.shift
    same = _number(before, microbatches) == _number(after, microbatches)
    return before.op is not after.op and not same


def _number(event: Event, microbatches: int) -> int:
    """The micro-batch of an event in period 0, over the whole run."""
    return event.micro - event.shift * microbatches

