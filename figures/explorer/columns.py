"""A trace's columns as compact text: typed arrays, bytes transposed, deflated, base64.

Nothing is rounded: whoever decodes it has the trace's own numbers.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.trace import COLUMNS, Trace

INTEGERS = (np.int8, np.int16, np.int32)
LEVEL = 6  # zlib's: 9 takes three times as long for half a percent


def encode(trace: Trace, more: Mapping[str, NDArray[Any]] | None = None) -> dict[str, Any]:
    """A trace's columns, and `more` of shape (rows,).

    Gives the number of rows, the columns as `[name, kind]` in the order they lie in, and
    `deflated`: base64 of a zlib stream of them all.  A kind is a dtype; or it is `[value]`, of a
    column that is this number (None: NaN) in every row, or the name of an earlier column that is
    equal bit for bit; both have no bytes.

    The bytes of a column are transposed (first the first byte of every row, then the second, …),
    little-endian, since neighbouring rows differ in their low bytes alone.
    """
    given = {name: getattr(trace, name) for name in COLUMNS} | dict(more or {})
    kinds, stored = [], dict[str, NDArray[Any]]()
    for name, values in given.items():
        column = _narrow(values)
        kind = _kind(column, stored)
        if kind == column.dtype.name:
            stored[name] = column
        kinds.append([name, kind])
    transposed = [column.view(np.uint8).reshape(len(trace), -1).T.tobytes()
                  for column in stored.values()]
    return {"rows": len(trace), "columns": kinds,
            "deflated": base64.b64encode(zlib.compress(b"".join(transposed), LEVEL)).decode()}


def _kind(column: NDArray[Any], stored: Mapping[str, NDArray[Any]]) -> Any:
    """What stands for a column: its one value in a list, the name of an equal one, or its dtype."""
    first = column[:1].tolist()
    if first and (column == column[0]).all() and np.isfinite(column[0]):
        return first
    if first and column.dtype.kind == "f" and np.isnan(column).all():
        return [None]
    same = (name for name, other in stored.items() if column.dtype == other.dtype
            and np.array_equal(column.view(np.uint8), other.view(np.uint8)))
    return next(same, column.dtype.name)


def _narrow(column: NDArray[Any]) -> NDArray[Any]:
    """The column in the smallest type that holds it exactly: whole numbers as integers, any other
    as float64."""
    if column.dtype.kind == "f" and not _whole(column):
        return np.ascontiguousarray(column, dtype="<f8")
    low, high = (int(column.min()), int(column.max())) if len(column) else (0, 0)
    kind = next(k for k in INTEGERS
                if np.iinfo(k).min <= low and high <= np.iinfo(k).max)
    return np.ascontiguousarray(column, dtype=np.dtype(kind).newbyteorder("<"))


def _whole(column: NDArray[Any]) -> bool:
    """Whether a column of floats holds nothing but whole numbers that 32 bits hold."""
    few = column[:64]
    return all(bool((each == np.rint(each)).all() and (np.abs(each) < 2**31).all()
                    and not np.signbit(each[each == 0]).any()) for each in (few, column))
