"""A trace's columns as compact text: typed arrays, bytes transposed, deflated, base64.

Nothing is rounded: whoever decodes it has the trace's own numbers.
"""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from figures.explorer.about import unit_labels
from sim.trace import COLUMNS, Trace

INTEGERS = (np.int8, np.int16, np.int32)


def encode(trace: Trace) -> dict[str, Any]:
    """A trace's columns and `version_time_unit` (see about.py).

    Gives the number of rows, the columns as `[name, dtype]` in the order they lie in, and
    `deflated`: base64 of a zlib stream of them all.

    The bytes of a column are transposed (first the first byte of every row, then the second, …),
    little-endian, since neighbouring rows differ in their low bytes alone.
    """
    columns = {name: _narrow(getattr(trace, name), dtype) for name, (dtype, _) in COLUMNS.items()}
    columns["version_time_unit"] = _narrow(unit_labels(trace), "int32")
    transposed = [column.view(np.uint8).reshape(len(trace), -1).T.tobytes()
                  for column in columns.values()]
    return {"rows": len(trace),
            "columns": [[name, column.dtype.name] for name, column in columns.items()],
            "deflated": base64.b64encode(zlib.compress(b"".join(transposed), 9)).decode()}


def _narrow(column: NDArray[Any], dtype: str) -> NDArray[Any]:
    """The column in the smallest type that holds it exactly; floats stay float64."""
    if dtype.startswith("float"):
        return np.ascontiguousarray(column, dtype="<f8")
    low, high = (int(column.min()), int(column.max())) if len(column) else (0, 0)
    kind = next(k for k in INTEGERS
                if np.iinfo(k).min <= low and high <= np.iinfo(k).max)
    return np.ascontiguousarray(column, dtype=np.dtype(kind).newbyteorder("<"))
