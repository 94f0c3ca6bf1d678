"""How many micro-batches a memory limit lets be in flight on a stage, whatever the order.

Micro-batches are alike, so only their number counts.  All that are between the start of their
forward and the end of their input half on a stage are so on the earlier stages of the same device
as well, and held there.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from analysis.ordering.problem import OrderProblem


class InFlight(NamedTuple):
    """The most micro-batches of each stage, (stages,), between the start of their forward and the
    end of their input half (`inputs`), and of their weight half (`weights`), as one starts.

    A problem's number of micro-batches stands for no limit.
    """

    inputs: list[int]
    weights: list[int]


def in_flight(problem: OrderProblem) -> InFlight:
    """What the memory limit of a problem lets be in flight, as a forward starts, on each stage."""
    found = InFlight([], [])
    for stage, device in enumerate(problem.device.tolist()):
        before = [k for k in problem.stages_on(device) if k <= stage]
        each = float(problem.held_bytes[before].sum())
        half, room = float(problem.halved_bytes[stage]), float(problem.room_bytes[device])
        most = _whole(room, each, problem.microbatches)
        found.inputs.append(most)
        found.weights.append(min(problem.microbatches, max(
            flying + _whole(room - flying * each, half, problem.microbatches)
            for flying in range(1, max(1, most) + 1))))
    return found


def _whole(room: float, each: float, most: int) -> int:
    """How many of so many bytes each have room, at most `most`."""
    if each <= 0 or math.isinf(room):
        return most
    return min(most, max(0, int(room // each)))
