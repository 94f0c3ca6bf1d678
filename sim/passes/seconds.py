"""Values by (operation, stage) or by place, dealt out to rows in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np


def dealt(op: Any, stage: Any, values: Any) -> Any:
    """What `values` (operations, stages) says of each row."""
    column = np.empty(len(op))
    for row in range(len(op)):
        column[row] = values[op[row], stage[row]]
    return column


def summed(op: Any, column: Any, ops: Any) -> Any:
    """Sum of a column over the rows of each operation."""
    sums = np.zeros(ops)
    for row in range(len(op)):
        sums[op[row]] += column[row]
    return sums


def places(op: Any, stage: Any, index: Any, first: Any, total: Any, after: Any) -> Any:
    """Place of each row: its operation's `first`, then by (stage, micro-batch); `after` at most."""
    place = np.empty(len(op), dtype=np.int32)
    for row in range(len(op)):
        place[row] = min(first[op[row]] + stage[row] * total + index[row], after)
    return place


def gathered(values: Any, place: Any) -> Any:
    """The values at these places."""
    column = np.empty(len(place))
    for row in range(len(place)):
        column[row] = values[place[row]]
    return column


def scattered(column: Any, place: Any, size: Any) -> Any:
    """Values by place, 0 where no row is."""
    values = np.zeros(size)
    for row in range(len(place)):
        values[place[row]] = column[row]
    return values
