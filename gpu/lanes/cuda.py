"""A CUDA device as a lane: streams for computing and copying, events for order and time."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from gpu.lanes.clock import Alignment, Bracket
from gpu.lanes.recorder import CudaRecorder, Recorder
from gpu.lanes.streams import Mark

CYCLES_PER_S = 2e9  # about what GPUs of the day clock at; only holding up depends on it


class CudaLane:
    """A CUDA device as a `Lane`, or a part of one where `compute` is a stream on that part.

    F, weight copies, B and U share the compute stream.  A copy runs with the copy streams current
    on *both* devices, since torch lets a cross-device copy wait for the current ones: otherwise it
    would queue behind computing.
    """

    def __init__(self, name: str, device: torch.device, compute: Any = None) -> None:
        self.name, self.device = name, device
        with torch.cuda.device(device):
            self.compute = torch.cuda.Stream(device) if compute is None else compute
            self.copies = [torch.cuda.Stream(device), torch.cuda.Stream(device)]
        self.held: list[tuple[Any, torch.cuda.Event]] = []
        self.alignment: Alignment | None = None

    def recorder(self) -> Recorder | None:
        return CudaRecorder(self.compute)

    def current(self) -> AbstractContextManager[Any]:
        return torch.cuda.stream(self.compute)

    def mark(self) -> torch.cuda.Event:
        event = torch.cuda.Event(enable_timing=True)
        event.record(self.compute)
        return event

    def send(self, tensors: Sequence[Tensor], up: bool, target: CudaLane
             ) -> tuple[list[Tensor], Mark]:
        ready, arrived = self.mark(), torch.cuda.Event(enable_timing=True)
        source, sink = self.copies[up], target.copies[up]
        same = self.device == target.device
        with ExitStack() as stack:
            stack.enter_context(torch.cuda.stream(source))
            if not same:
                stack.enter_context(torch.cuda.stream(sink))
            source.wait_event(ready)
            there = [t.clone() if same else t.to(target.device, non_blocking=True)
                     for t in tensors]
            arrived.record(source if same else sink)
        left = arrived if same else torch.cuda.Event()
        if not same:
            left.record(source)
        self.hold(tensors, left)
        return there, arrived

    def wait(self, arrived: torch.cuda.Event) -> None:
        self.compute.wait_event(arrived)

    def hold(self, tensors: Any, until: torch.cuda.Event) -> None:
        self.held = [(kept, event) for kept, event in self.held if not event.query()]
        self.held.append((tensors, until))

    def hold_up(self, seconds: float) -> None:
        with torch.cuda.stream(self.compute):
            torch.cuda._sleep(int(seconds * CYCLES_PER_S))

    def rest(self) -> None:
        self.compute.synchronize()

    def settle(self) -> None:
        torch.cuda.synchronize(self.device)

    def _bracket(self) -> tuple[Bracket, torch.cuda.Event]:
        self.settle()
        before = perf_counter()
        event = self.mark()
        event.synchronize()
        return Bracket(before, perf_counter()), event

    def begin(self) -> None:
        self.settle()
        torch.cuda.reset_peak_memory_stats(self.device)
        self.base_bytes = int(torch.cuda.memory_allocated(self.device))
        self.first, self.origin = self._bracket()

    def finish(self) -> Alignment:
        last, event = self._bracket()
        self.held.clear()
        self.alignment = Alignment(self.first, last, self.origin.elapsed_time(event) / 1e3)
        return self.alignment

    def seconds(self, mark: torch.cuda.Event) -> float:
        assert self.alignment is not None
        return self.alignment.host_s(self.origin.elapsed_time(mark) / 1e3)

    def fetch(self, value: Tensor) -> tuple[Tensor, torch.cuda.Event]:
        there = torch.empty((), dtype=value.dtype, pin_memory=True)
        there.copy_(value, non_blocking=True)
        return there, self.mark()

    def fetched(self, ticket: tuple[Tensor, torch.cuda.Event]) -> float | None:
        value, event = ticket
        return float(value) if event.query() else None
