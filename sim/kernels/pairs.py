"""The one seam between NumPy and numba: passes in two makes, and the choice of make handed down.

A *kernel* is a pass over the columns of a whole program.  Each is written twice, side by side in
one file of this room: with NumPy, and as plain loops that numba turns into machine code.  Both give
the same bits; one parametrised test goes through every pair.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

FEWEST_ROWS = 20_000  # below, what is saved is less than what calling compiled code costs
ROWS_WORTH_LOADING = 4_000_000  # gone through without numba they take longer than loading it


@dataclass(frozen=True)
class Pair:
    """One pass in two makes: `numpy` on whole columns, `loops` for numba; same arguments, same
    answer to the bit.  What both take and answer is said below the pair."""

    numpy: Callable[..., Any]
    loops: Callable[..., Any]


@dataclass(frozen=True)
class Kernels:
    """A make of every pass, chosen once per run and handed down: `kernels.of(PAIR)(columns …)`."""

    name: str
    compiled: bool

    def of(self, pair: Pair) -> Callable[..., Any]:
        """The pass in this make."""
        return compile_loops(pair.loops) if self.compiled else pair.numpy


NUMPY = Kernels("numpy", False)
NUMBA = Kernels("numba", True)


def installed() -> bool:
    """Whether numba is installed; it is not imported to tell."""
    return importlib.util.find_spec("numba") is not None


def choose(rows: int, in_all: int | None = None) -> Kernels:
    """The make for a run of `rows`, one of several that make `in_all` rows together.

    Numba takes about a second to load, so it is taken where it is installed, where so many rows
    would take longer than that without it, and where one run is large enough to call it for.
    """
    worth = rows >= FEWEST_ROWS and max(rows, in_all or 0) >= ROWS_WORTH_LOADING
    return NUMBA if worth and installed() else NUMPY


@cache
def compile_loops(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` as machine code, kept on disk between runs.  Raises ImportError without numba."""
    import numba

    made: Callable[..., Any]
    try:
        made = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # nowhere to keep it
        made = numba.njit(nogil=True)(function)
    return made
