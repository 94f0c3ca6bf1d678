"""The array types everything is written in: columns of whole numbers, and of seconds or weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

NARROW = np.int32  # of columns: what they hold are counts of one program's rows at most
Ints = NDArray[np.signedinteger[Any]]
Floats = NDArray[np.float64]


def is_narrow(column: Ints) -> bool:
    """Whether a column, shape (rows,), is one for compiled code: 32 bit, in one piece, writeable.

    For an array of any other type or layout numba would compile a whole pass once more.
    """
    return column.dtype == NARROW and column.flags.c_contiguous and column.flags.writeable


def narrowed(column: Ints) -> Ints:
    """The column, of shape (rows,), itself where it `is_narrow`, else a copy that is."""
    return column if is_narrow(column) else np.array(column, dtype=NARROW, order="C")
