"""The recurrence compiled for this machine, where numba is installed (the extra `fast`)."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

from sim.exact.recurrence import advance


def available() -> bool:
    """Whether numba is installed; it is not imported to tell."""
    return importlib.util.find_spec("numba") is not None


def loaded() -> bool:
    """Whether numba has been imported, so that compiled code costs no start-up any more."""
    return "numba" in sys.modules


@cache
def compiled(function: Callable[..., Any] = advance) -> Callable[..., Any]:
    """`function` as machine code, kept on disk between runs.  Raises ImportError without numba."""
    import numba

    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # nowhere to keep it
        return numba.njit(nogil=True)(function)
