"""How many bytes a stage holds at its peak: counted on a CPU, asked of the allocator on CUDA."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol

import torch
from torch import Tensor

from gpu.runtime.canned import Canned
from gpu.runtime.worker import Worker
from gpu.versions import TorchDispatchMode, tree_leaves

CUDA_BLOCK = 512  # bytes: the allocator hands out whole ones


class Gauge(Protocol):
    """What tells how many bytes are held, and how many were at most since it was last asked to
    `begin`; used as a context, in which it counts."""

    @property
    def live(self) -> int:
        """Bytes held now."""

    @property
    def peak(self) -> int:
        """The most that was held since `begin`."""

    def begin(self) -> int:
        """Forget the peak so far; the bytes held now."""

    def __enter__(self) -> Any: ...

    def __exit__(self, *_: Any) -> Any: ...


class Allocations(TorchDispatchMode):
    """A `Gauge` of all tensors made inside its context and still alive.

    `live` is what they are now, `peak` the most they were.  Sees what torch's operators return, not
    a kernel's own scratch memory.
    """

    def __init__(self) -> None:
        super().__init__()
        self.live, self.peak = 0, 0
        self._known: dict[int, Any] = {}

    def begin(self) -> int:
        """Forget the peak so far; the bytes held now."""
        self.peak = self.live
        return self.live

    def count(self, tensors: Iterable[Any]) -> None:
        """Count the storages of these tensors, each once, while they live."""
        for tensor in tensors:
            if isinstance(tensor, Tensor):
                self._add(tensor.untyped_storage())

    def _add(self, storage: Any) -> None:
        key, size = int(storage._cdata), int(storage.nbytes())
        if key in self._known or not size:
            return

        def gone(_: Any) -> None:
            del self._known[key]
            self.live -= size

        self._known[key] = weakref.ref(storage, gone)
        self.live += size
        self.peak = max(self.peak, self.live)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.count(made(result, (args, kwargs)))
        return result


def made(result: Any, given: Any) -> list[Tensor]:
    """The tensors, of any shape (…), of an operator's result that are no views of what it got."""
    known = {each.untyped_storage()._cdata for each in tree_leaves(given)
             if isinstance(each, Tensor)}
    return [each for each in tree_leaves(result)
            if isinstance(each, Tensor) and each.untyped_storage()._cdata not in known]


class CudaGauge(AbstractContextManager["CudaGauge"]):
    """A `Gauge` that asks the allocator of a CUDA device, for all that anybody holds there.

    Blocks are counted as they are handed out, with what rounding adds and with the workspaces that
    libraries ask for.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device

    @property
    def live(self) -> int:
        """Bytes held now."""
        return int(torch.cuda.memory_allocated(self.device))

    @property
    def peak(self) -> int:
        """The most that was held since `begin`."""
        return int(torch.cuda.max_memory_allocated(self.device))

    def begin(self) -> int:
        """Wait for the device, so that what crossed streams can go; forget the peak so far."""
        torch.cuda.synchronize(self.device)
        torch.cuda.reset_peak_memory_stats(self.device)
        return self.live

    def __exit__(self, *_: Any) -> None:
        torch.cuda.synchronize(self.device)


def gauge(device: torch.device) -> Gauge:
    """What counts the bytes held on a device."""
    return CudaGauge(device) if device.type == "cuda" else Allocations()


def resident(worker: Worker) -> list[Tensor]:
    """What a worker's stages hold before it starts: weights, live buffer and optimizer of each.

    All are flat vectors (parameters,).
    """
    return [tensor for stage in worker.stages.values() for tensor in (
        stage.weights, stage.model.live, *optimizer_state(stage.optimizer))]


def optimizer_state(optimizer: Any) -> list[Tensor]:
    """All tensors an optimizer keeps, (parameters,) each."""
    names = [*getattr(type(optimizer), "__slots__", ()), *getattr(optimizer, "__dict__", ())]
    found = (getattr(optimizer, name) for name in names)
    return [each for each in found if isinstance(each, Tensor)]


def resident_bytes(worker: Worker) -> int:
    """Bytes that a worker's stages hold before it starts (weights, live buffers, optimizers)."""
    return block_bytes(resident(worker))


def block_bytes(tensors: Iterable[Tensor]) -> int:
    """Bytes of tensors, of any shape (…), as their device hands them out: on CUDA whole blocks.

    Tensors that share memory count once.
    """
    return sum(_block_sizes(tensors))


def _block_sizes(tensors: Iterable[Tensor]) -> Iterator[int]:
    known = set()
    for tensor in tensors:
        storage = tensor.untyped_storage()
        if storage._cdata not in known:
            known.add(storage._cdata)
            grain = CUDA_BLOCK if tensor.device.type == "cuda" else 1
            yield -(-storage.nbytes() // grain) * grain


def peak_bytes(worker: Worker) -> int:
    """The most bytes a worker's stages hold while it executes its whole stream, messages canned.

    BatchNorm statistics and the program's bookkeeping are not counted; images are from when an
    instruction has made its micro-batch of them.  Messages are fresh ones: micro-batches in flight
    that shared one input would look smaller than they are.
    """
    if isinstance(worker.links, Canned):
        worker.links.fresh = True
    with gauge(worker.lane.device) as counted:
        if isinstance(counted, Allocations):
            counted.count(resident(worker))
            worker.run()
            return int(counted.peak)
        before: int = counted.begin()
        worker.run()
        most: int = counted.peak
    return most - before + resident_bytes(worker)
