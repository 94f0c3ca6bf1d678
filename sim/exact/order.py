"""An order of rows in which what a row needs comes before it, found without looking at costs.

Where every row takes one second and a message none, whatever a row needs starts before the row:
rows sorted by those starts are in such an order.  The steady period makes them cheap to find.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sim.exact.period import extrapolated
from sim.exact.state import State, as_list
from sim.exact.system import System
from sim.instruction import Ints


def topological(system: System, *, quick: bool = False) -> Ints | None:
    """Rows in an executable order; None where there is none, or with `quick`, no steady period."""
    size = len(system.program)
    unit = replace(system, seconds=np.ones(size), transfer_s=np.zeros(size))
    state = extrapolated(unit)
    if state is None and not quick:
        state = State(unit, as_list)
        state = state if state.finish() else None
    if state is None:
        return None
    return np.argsort(state.settle()[0].astype(np.int64), kind="stable")
