"""Runs of every engine side by side, and what of their timelines is compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim.experiment.run import add_times
from sim.experiment.setup import VirtualSetup, rows_of
from sim.kernels.pairs import installed
from sim.order.program import Program
from sim.times.engines import kernels_of
from sim.times.timeline import Timeline
from tests.sim.experiments import experiment

needs_numba = pytest.mark.skipif(not installed(),
                                 reason="numba (the extra `fast`) is not installed")
EXACT = ["exact", "exact-plain", "exact-periodic",
         pytest.param("exact-compiled", marks=needs_numba)]
NAMES = ["exact", "exact-plain", "exact-periodic", *(["exact-compiled"] if installed() else [])]


def times(engine: str, program: Program | None = None, **keys: Any) -> Timeline:
    asked = experiment(**{"task": "none", **keys})
    kernels = kernels_of(engine, len(program) if program else rows_of(asked))
    return add_times(VirtualSetup.of(asked, program, kernels=kernels), engine)


def assert_equal(one: Timeline, other: Timeline) -> None:
    """Bit for bit, NaN like NaN."""
    for column in ("start_s", "end_s", "sent_s", "arrived_s"):
        a, b = getattr(one, column), getattr(other, column)
        assert a.dtype == b.dtype
        assert np.array_equal(a.view(np.int64), b.view(np.int64)), column
    assert one.program == other.program
