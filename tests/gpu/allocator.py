"""An allocator that can be looked at: tensors counted over all threads, in whole blocks or not.

A stand-in for what a CUDA device's own allocator reports, with lanes that move messages as CUDA
lanes on one device do: copied, and kept until somebody notices that they have passed.
"""

import threading
import weakref

from torch.utils._python_dispatch import TorchDispatchMode

from gpu.lanes.streams import CpuLane
from gpu.profiling.footprint import Allocations, made


class Shared(Allocations):
    """Allocations of several threads together, each rounded up to whole blocks of bytes."""

    def __init__(self, block=1):
        super().__init__()
        self.block, self.lock = block, threading.RLock()
        self.base = 0

    def _add(self, storage):
        key, size = int(storage._cdata), -(-int(storage.nbytes()) // self.block) * self.block

        def gone(_):
            with self.lock:
                del self._known[key]
                self.live -= size

        with self.lock:
            if size and key not in self._known:
                self._known[key] = weakref.ref(storage, gone)
                self.live += size
                self.peak = max(self.peak, self.live)

    def from_now(self):
        """Forget what was before: what is held now is the base."""
        self.base = self.begin()

    @property
    def risen(self):
        """The most bytes that were held above the base."""
        return self.peak - self.base


class _Watch(TorchDispatchMode):
    """One thread's share: a mode can be entered by one thread at a time."""

    def __init__(self, to):
        super().__init__()
        self.to = to

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.to.count(made(result, (args, kwargs)))
        return result


class WatchedLane(CpuLane):
    """A CPU thread whose tensors are counted; messages are handed over by reference."""

    def __init__(self, name, to):
        super().__init__(name)
        self.to = to

    def begin(self):
        self.to.from_now()

    def current(self):
        return _Watch(self.to)


class CopyingLane(WatchedLane):
    """A lane that copies what it sends, and keeps what crossed lanes until it is next asked to."""

    def __init__(self, name, to):
        super().__init__(name, to)
        self.held = []

    def send(self, tensors, up, target):
        there = [tensor.clone() for tensor in tensors]
        self.hold(tensors, None)
        return there, self.mark()

    def hold(self, tensors, until):
        self.held = [tensors]
