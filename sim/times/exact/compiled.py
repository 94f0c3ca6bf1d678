"""The recurrence compiled for this machine, where numba is installed (the extra `fast`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sim import kernels as passes
from sim.kernels import available, loaded
from sim.times.exact.recurrence import advance

__all__ = ["available", "compiled", "loaded", "pays"]

MANY = 4_000_000  # rows run without it take longer than loading it


@dataclass
class Rented:
    """Rows this process has run without the compiler, where it would have been of use."""

    rows: int = 0


RENTED = Rented()


def pays(rows: int) -> bool:
    """Whether the compiler shall be loaded for `rows` more; asked once a run.

    Rent or buy: it is bought once the rent paid comes to its price, so a short process never waits
    for it and a long one (a sweep's worker) soon has it.
    """
    if loaded():
        return True
    RENTED.rows += rows
    return RENTED.rows >= MANY and available()


def compiled(function: Callable[..., Any] = advance) -> Callable[..., Any]:
    """`function` as machine code, kept on disk between runs.  Raises ImportError without numba."""
    return passes.compiled(function)
