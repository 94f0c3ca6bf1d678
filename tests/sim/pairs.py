"""Which mitigations run on which schedule, as the configuration answers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest

from sim.errors import ConfigurationError
from sim.mitigations import MITIGATIONS
from sim.schedules import SCHEDULES
from tests.sim.experiments import experiment

EVERY = 3  # of so many cells of a table one is tried in `make test`, all in `make verify`


def accepted(schedule: str, mitigation: Any, stages: int = 1, microbatches: int = 1,
             chunks: int = 1) -> bool:
    try:
        experiment(schedule=schedule, mitigation=mitigation, stages=stages,
                   microbatches=microbatches, chunks=chunks, task="none")
    except ConfigurationError:
        return False
    return True


def running(stages: int, microbatches: int, schedules: list[str] | None = None
            ) -> list[tuple[str, str]]:
    """Pairs (schedule, mitigation) that are not refused at these sizes, one stage a device."""
    return [(schedule, mitigation)
            for schedule in schedules or SCHEDULES.names() for mitigation in MITIGATIONS.names()
            if accepted(schedule, mitigation, stages, microbatches)]


def table(*sides: Sequence[Any], keep: Sequence[Any] = ()) -> list[Any]:
    """All combinations as cases of a test, of which `make verify` alone tries most.

    In `make test` are one of `EVERY`, so that each value of a side is met with some of every other,
    and those with one of `keep` in them.
    """
    cases = []
    for places in product(*(range(len(side)) for side in sides)):
        values, marks = [], []
        for side, at in zip(sides, places, strict=True):
            given = getattr(side[at], "values", (side[at],))  # of a parameter that has marks
            values.extend(given)
            marks.extend(getattr(side[at], "marks", ()))
        chosen = sum(places) % EVERY == 0 or any(value in keep for value in values)
        cases.append(pytest.param(*values, marks=marks if chosen else [*marks, pytest.mark.verify]))
    return cases
