"""An order of rows in which what a row needs comes before it, found without looking at costs.

Where every row takes one second and a message none, whatever a row needs starts before the row:
rows sorted by those starts are in such an order.  The steady period makes them cheap to find.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sim.exact.period import extrapolated
from sim.exact.system import System
from sim.instruction import Ints


def topological(system: System) -> Ints | None:
    """Rows in an executable order; None where the program has no steady period to find it by."""
    size = len(system.program)
    state = extrapolated(replace(system, seconds=np.ones(size), transfer_s=np.zeros(size)))
    if state is None:
        return None
    return np.argsort(state.start.astype(np.int64), kind="stable")
