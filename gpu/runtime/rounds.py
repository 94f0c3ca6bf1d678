"""Gradients that copies of a stage apply together, each copy in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import torch

from gpu.runtime.links import Stopped
from sim.numerics.gradients import RoundSums


class Rounds:
    """The rounds of updates of all copies: who comes first waits for the gradients of the others.

    `sums` are by the copy's number; copies that combine their gradients share one.  On GPUs a
    gradient is waited for as it is added up, so that every stream may read it.
    """

    def __init__(self, sums: Mapping[int, RoundSums]) -> None:
        self.sums = dict(sums)
        self._device: dict[int, torch.device] = {}  # where each sum is added up
        self._changed = threading.Condition()
        self._stopped = False

    def of(self, copy: int) -> Entry:
        """Where a copy's `Stage` adds its gradients up."""
        return Entry(self, copy)

    def add(self, copy: int, index: int, gradient: Any) -> None:
        """Add a copy's gradient (parameters,) of micro-batch `index`."""
        sums = self.sums[copy]
        _settle(gradient)
        with self._changed:
            there = self._device.setdefault(id(sums), gradient.device)
            sums.add(index, gradient.to(there))
            _settle(gradient)
            self._changed.notify_all()

    def gradient(self, copy: int, number: int) -> Any:
        """The gradient (parameters,) of a copy's update `number` (from 0), once it is complete.

        Raises Stopped.
        """
        sums = self.sums[copy]
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or sums.complete(number))
            if self._stopped:
                raise Stopped
            found = sums.take(number)
            _settle(found)
            return found

    def stop(self) -> None:
        """Wake everybody who waits: they raise Stopped."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()


class Entry:
    """Where one copy's gradients enter its rounds: the `Sums` of its `Stage`."""

    def __init__(self, rounds: Rounds, copy: int) -> None:
        self._rounds, self._copy = rounds, copy

    def add(self, index: int, gradient: Any) -> None:
        """Add the gradient (parameters,) of micro-batch `index`."""
        self._rounds.add(self._copy, index, gradient)

    def take(self, number: int) -> Any:
        """The gradient (parameters,) of the copy's update `number`.  Raises Stopped."""
        return self._rounds.gradient(self._copy, number)


def _settle(tensor: Any) -> None:
    """Wait until what computes a tensor of a GPU is done."""
    if tensor.is_cuda:
        torch.cuda.synchronize(tensor.device)
