"""The recurrence compiled for this machine, where numba is installed (the extra `fast`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sim import passes
from sim.exact.recurrence import advance
from sim.passes import available, loaded

__all__ = ["available", "compiled", "loaded"]


def compiled(function: Callable[..., Any] = advance) -> Callable[..., Any]:
    """`function` as machine code, kept on disk between runs.  Raises ImportError without numba."""
    return passes.compiled(function)
