"""An order of rows in which what a row needs comes before it, found without looking at costs.

Where every row takes one second and a message none, whatever a row needs starts before the row:
rows sorted by those starts are in such an order.  The steady period makes them cheap to find.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sim.arrays import Floats, Ints
from sim.times.exact.equations import MaxPlusSystem
from sim.times.exact.period import extrapolated
from sim.times.exact.state import State, as_list


def topological(system: MaxPlusSystem, *, quick: bool = False) -> Ints | None:
    """Every row of a system in an executable order, shape (rows,).

    None where there is none or, with `quick`, where there is no steady period to find it by.
    """
    moment = moments(system, np.ones(len(system.program)), quick=quick)
    return None if moment is None else np.argsort(moment, kind="stable")


def moments(system: MaxPlusSystem, seconds: Floats, *, quick: bool = False) -> Ints | None:
    """When each row starts, shape (rows,), if it takes the `seconds`, 0 or 1, and messages none.

    Rows that wait for a message or send one must take 1 s.  None where not every row can run or,
    with `quick`, where there is no steady period.
    """
    unit = replace(system, seconds=seconds, transfer_s=np.zeros(len(seconds)),
                   latency_s=np.zeros(0))
    state = extrapolated(unit)
    if state is None and not quick:
        state = State(unit, as_list)
        state = state if state.finish() else None
    return None if state is None else state.settle()[0].astype(np.int64)
