"""Whole-program passes in one go: plain loops over rows that become machine code where worth it.

Each file here is one text, written with indices and numbers only, that gives the same bits plain
and compiled.  A loop goes from the first row to the last and does one thing, so that it becomes few
instructions, often for several rows at once; and where an index cannot be negative that is asked
all the same: one that may count from the end costs a quarter of the time.  It stands beside the
NumPy passes it is tested against and never replaces their judgement: what is not plainly well it
leaves to them.  They are used for large programs once numba (the extra `fast`) has been imported by
the compiled engine, never at its start-up's cost.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from sim.arrays import NARROW
from sim.order.columns import Instructions

FEW = 20_000  # rows: below, what is saved is less than what calling compiled code costs


def available() -> bool:
    """Whether numba is installed; it is not imported to tell."""
    return importlib.util.find_spec("numba") is not None


def loaded() -> bool:
    """Whether numba has been imported, so that compiled code costs no start-up any more."""
    return "numba" in sys.modules


def worth(rows: int) -> bool:
    """Whether a program of so many rows shall be gone through by compiled passes."""
    return rows >= FEW and loaded()


def narrow(block: Instructions) -> bool:
    """Whether columns are as the passes take them; any other would be compiled for anew."""
    return all(column.dtype == NARROW and column.flags.c_contiguous and column.flags.writeable
               for column in block)


def as_narrow(table: Any) -> Any:
    """The table itself, or a copy as the passes take it."""
    return np.ascontiguousarray(table, dtype=NARROW)


@cache
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` as machine code, kept on disk between runs.  Raises ImportError without numba."""
    import numba

    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # nowhere to keep it
        return numba.njit(nogil=True)(function)
