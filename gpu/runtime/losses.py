"""The losses of a run, fetched from a device without waiting for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from gpu.errors import NonFiniteError
from gpu.lanes.streams import Lane


@dataclass
class Losses:
    """Mean losses of micro-batches, fetched from a lane without waiting for its device.

    `values` has those that have come, by micro-batch (from 0); `waiting` the others.
    """

    lane: Lane
    strict: bool
    waiting: list[tuple[str, int, int, Any]] = field(default_factory=list)
    values: dict[int, float] = field(default_factory=dict)

    def add(self, stage: int, index: int, loss: Tensor) -> None:
        """Start fetching a mean loss (0-d) that a stage computed for micro-batch `index`."""
        self.waiting.append((f"{stage}F{index}", stage, index, self.lane.fetch(loss)))

    def poll(self) -> None:
        """Note every loss that has come by now.

        Raises NonFiniteError at the first that is not finite, if `strict`.
        """
        while self.waiting:
            name, stage, index, ticket = self.waiting[0]
            value = self.lane.fetched(ticket)
            if value is None:
                return
            self.waiting.pop(0)
            self.values[index] = value
            if self.strict and not abs(value) < float("inf"):
                raise NonFiniteError(stage, name, self.lane.name, f"the loss is {value}")
