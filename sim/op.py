"""The operations a pipeline is made of, and how to find them in a column."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from sim.arrays import Ints


class Op(IntEnum):
    """Forward, backward, its input and weight halves, update, and the four message ends."""

    F = 0
    B = 1
    I = 2  # noqa: E741 - the field's own name for the input half of a backward
    W = 3
    U = 4
    SEND_F = 5
    RECV_F = 6
    SEND_B = 7
    RECV_B = 8


def among(op: Ints, ops: Iterable[Op]) -> NDArray[np.bool_]:
    """Which of a column of operations, shape (rows,), are one of `ops`: a mask of that shape."""
    found = np.zeros(len(op), dtype=bool)
    for each in ops:
        found |= op == each
    return found
