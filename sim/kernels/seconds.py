"""Values by place, dealt out to rows in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np


def dealt(op: Any, stage: Any, index: Any, first: Any, step: Any, values: Any) -> Any:
    """What `values` says of each row, by places as `sim.times.places.Places` has them."""
    stages = first.shape[1]
    begins, steps = first.reshape(-1), step.reshape(-1)
    column = np.empty(len(op))
    for row in range(len(op)):
        kind = op[row] * stages + stage[row]
        if kind >= 0:
            place = begins[kind] + steps[kind] * index[row]
            if place >= 0:
                column[row] = values[place]
    return column
