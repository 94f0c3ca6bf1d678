"""How many bytes a stage holds at its peak: counted on a CPU, asked of the allocator on CUDA."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gpu.model.sizes import StageSizes
from gpu.profiling.solo import Solo
from gpu.runtime.canned import Canned
from gpu.runtime.worker import Worker
from gpu.versions import TorchDispatchMode, tree_leaves
from sim.op import Op


class Allocations(TorchDispatchMode):
    """A context that counts the bytes of all tensors made inside and still alive.

    `live` is what they are now, `peak` the most they were.  Sees what torch's operators return, not
    a kernel's own scratch memory.
    """

    def __init__(self) -> None:
        super().__init__()
        self.live, self.peak = 0, 0
        self._known: dict[int, Any] = {}

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
        self.count(tree_leaves(result))
        return result


def resident(worker: Worker) -> list[Tensor]:
    """What a worker's stages hold before it starts: weights, live buffer and velocity of each.

    All are flat vectors (parameters,).
    """
    return [tensor for stage in worker.stages.values()
            for tensor in (stage.weights, stage.model.live, stage.optimizer.velocity)]


def resident_bytes(worker: Worker) -> int:
    """Bytes that a worker's stages hold before it starts (weights, live buffers, optimizers)."""
    return sum(t.numel() * t.element_size() for t in resident(worker))


def peak_bytes(worker: Worker) -> int:
    """The most bytes a worker's stages hold while it executes its whole stream, messages canned.

    BatchNorm statistics, the images and the program's bookkeeping are not counted.  Messages are
    fresh ones: micro-batches in flight that shared one input would look smaller than they are.
    """
    if isinstance(worker.links, Canned):
        worker.links.fresh = True
    if worker.lane.device.type == "cuda":
        return _peak_on_cuda(worker)
    with Allocations() as allocations:
        allocations.count(resident(worker))
        worker.run()
    return int(allocations.peak)


def _peak_on_cuda(worker: Worker) -> int:
    device = worker.lane.device
    torch.cuda.synchronize(device)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    worker.run()
    torch.cuda.synchronize(device)
    extra = int(torch.cuda.max_memory_allocated(device)) - before
    return extra + resident_bytes(worker)


def extra_bytes(single: Solo, k: int, sizes: StageSizes
                 ) -> tuple[float | None, float | None]:
    """Bytes stage `k` holds beside weight versions and activations: always, and at its peak.

    The first are optimizer and live buffer, the second the workspace: the peak of one mini-batch
    less all that is known.  (None, None) where several stages share the device.
    """
    device = single.home[k]
    if single.home.count(device) > 1:
        return None, None
    rows, worker = single.program.rows, single.worker(device)
    flow = np.where(rows.op == Op.F, 1, np.where(rows.op == Op.B, -rows.count, 0))
    in_flight = int(np.cumsum(flow[rows.stage == k]).max())
    versions = int(single.assembly.plan.versions_held[k])
    resident = resident_bytes(worker) - sizes.weight_bytes
    known = versions * sizes.weight_bytes + in_flight * sizes.activation_bytes + resident
    return float(resident), float(max(0, peak_bytes(worker) - known))
