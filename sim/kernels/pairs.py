"""Where NumPy and numba meet: passes in two makes, and the choice of make that is handed down.

A *kernel* is a pass over the columns of a whole program.  Each is written twice, side by side in
one file of this room: with NumPy, and as plain loops that numba turns into machine code.  Both give
the same bits; one parametrised test goes through every pair.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import FunctionType
from typing import Any

FEWEST_ROWS = 20_000  # below, what is saved is less than what calling compiled code costs
ROWS_WORTH_LOADING = 4_000_000  # gone through without numba they take longer than loading it


@dataclass(frozen=True)
class Pair:
    """One pass over a program in two makes: `numpy` on whole columns, `loops` for numba.

    Both take the same arguments and give the same answer to the bit; the text below each pair says
    what those are.
    """

    numpy: Callable[..., Any]
    loops: Callable[..., Any]


@dataclass(frozen=True)
class Kernels:
    """The make of every pass, NumPy or numba: `kernels.of(PAIR)(columns …)`.

    It is chosen once per run and handed down.
    """

    name: str
    compiled: bool

    def of(self, pair: Pair) -> Callable[..., Any]:
        """The function that does a pass in this make, compiled where it has to be."""
        return compile_loops(pair.loops) if self.compiled else pair.numpy


NUMPY = Kernels("numpy", False)
NUMBA = Kernels("numba", True)


def installed() -> bool:
    """Whether numba is installed, found without importing it."""
    return importlib.util.find_spec("numba") is not None


@cache
def loads() -> bool:
    """Whether numba is there and can be loaded, which takes about a second the first time.

    One that is installed and broken is gone without, and a line on standard error says so.
    """
    if not installed():
        return False
    try:
        importlib.import_module("numba")
    except Exception as error:  # of a broken library anything
        said = " ".join(f"{type(error).__name__}: {error}".split())
        sys.stderr.write(f"numba is installed but does not load ({said}); going on without it\n")
        return False
    return True


def choose(rows: int, in_all: int | None = None) -> Kernels:
    """The make of kernels for a run of `rows`, one of several that have `in_all` rows together.

    Numba takes about a second to load, so it is chosen where it loads, where so many rows would
    take longer than that without it, and where one run is large enough to call it for.
    """
    worth = rows >= FEWEST_ROWS and max(rows, in_all or 0) >= ROWS_WORTH_LOADING
    return NUMBA if worth and loads() else NUMPY


@cache
def compile_loops(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` as machine code, kept on disk between runs.  Raises ImportError without numba.

    Functions of its own file that it calls are compiled with it; those of other files it may not
    call, since what is kept would not be made anew when they change.
    """
    import numba

    made: Callable[..., Any]
    function = _calling_compiled(function)
    try:
        made = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # nowhere to keep it
        made = numba.njit(nogil=True)(function)
    return made


def _calling_compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that calls the compiled makes of those of its file; itself where it calls none."""
    assert isinstance(function, FunctionType)
    known = function.__globals__
    called = [known.get(name) for name in function.__code__.co_names]
    own = {each.__name__: compile_loops(each) for each in called
           if isinstance(each, FunctionType) and each.__module__ == function.__module__}
    return FunctionType(function.__code__, known | own) if own else function
