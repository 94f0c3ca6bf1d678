"""What a worker does on a device besides computing: order work, copy, wait, take times.

The seam between CPU and CUDA.  A `Lane` is one device of the pipeline: a CPU thread, whose work is
done when a call returns, or a CUDA device (or a part of one) with a compute stream and a copy
stream per direction, whose work is done when an event says so.  A *mark* is a point in a lane's
work: a host time on a CPU, an event on CUDA.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from time import perf_counter
from typing import Any, Protocol

import torch
from torch import Tensor

from gpu.lanes.clock import Alignment, unaligned
from gpu.lanes.recorder import Recorder

Mark = Any


class Lane(Protocol):
    """One device of the pipeline: where torch computes, copies, waits and takes times."""

    name: str
    device: torch.device

    def recorder(self) -> Recorder | None:
        """What records work on the compute stream, to be replayed there; None where none can."""

    def current(self) -> AbstractContextManager[Any]:
        """A context in which what torch is asked to do goes to this lane's compute stream."""

    def mark(self) -> Mark:
        """A mark after all computing asked for so far."""

    def send(self, tensors: Sequence[Tensor], up: bool, target: Any) -> tuple[list[Tensor], Mark]:
        """The tensors, in their shapes, on the lane `target`, and the mark of their arrival there.

        `up` says that they are gradients, which have a copy stream of their own.
        """

    def wait(self, arrived: Mark) -> None:
        """Let computing asked for from now on start after that mark."""

    def hold(self, tensors: Any, until: Mark) -> None:
        """Keep tensors that crossed streams alive until a mark of this lane has passed."""

    def hold_up(self, seconds: float) -> None:
        """Let computing asked for from now on begin so much later, so that the host gets ahead."""

    def rest(self) -> None:
        """Wait until the computing asked for so far is done."""

    def settle(self) -> None:
        """Wait until the device has done all that anybody asked it for, on whatever stream."""

    def begin(self) -> None:
        """Relate this lane's clock to the host's, before the run."""

    def finish(self) -> Alignment:
        """Wait for all work; relate the clocks again."""

    def seconds(self, mark: Mark) -> float:
        """Host time in seconds of a mark that has passed, after `finish`."""

    def fetch(self, value: Tensor) -> Any:
        """Start bringing a number (0-d) to the host; a ticket for `fetched`."""

    def fetched(self, ticket: Any) -> float | None:
        """The number (0-d) of a ticket; None while it is under way."""


class CpuLane:
    """A CPU thread as a `Lane`: everything is done when it returns, and memory is shared."""

    device = torch.device("cpu")

    def __init__(self, name: str) -> None:
        self.name = name

    def recorder(self) -> Recorder | None:
        return None

    def current(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def mark(self) -> float:
        return perf_counter()

    def send(self, tensors: Sequence[Tensor], up: bool, target: Any) -> tuple[list[Tensor], Mark]:
        return list(tensors), perf_counter()

    def wait(self, arrived: float) -> None:
        pass

    def hold(self, tensors: Any, until: float) -> None:
        pass

    def hold_up(self, seconds: float) -> None:
        pass

    def rest(self) -> None:
        pass

    def settle(self) -> None:
        pass

    def begin(self) -> None:
        pass

    def finish(self) -> Alignment:
        return unaligned()

    def seconds(self, mark: float) -> float:
        return mark

    def fetch(self, value: Tensor) -> float:
        return float(value)

    def fetched(self, ticket: float) -> float | None:
        return ticket
