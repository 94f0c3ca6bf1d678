"""Memory that is there however far a run has come: captured copies of passes, and libraries' own.

A captured pass works in memory of its recording: a pool of segments that the allocator hands to
nobody else, whether tensors live in them or not.  So `memory_allocated` does not tell what a
captured stage takes; the allocator's list of segments does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch

from gpu.capture.captured import CapturedStage, Slot
from gpu.profiling.footprint import block_bytes

Pool = tuple[int, int]  # as torch.cuda.graph_pool_handle gives it
Segments = Sequence[Mapping[str, Any]]
KIB = 1024


def pool_bytes(pools: Iterable[Pool], segments: Segments) -> list[int]:
    """Bytes of the segments that belong to each pool, as the allocator lists them.

    `segments` is what `torch.cuda.memory_snapshot()` gives.
    """
    sizes: dict[Pool, int] = {}
    for segment in segments:
        first, second = segment["segment_pool_id"]
        sizes[first, second] = sizes.get((first, second), 0) + int(segment["total_size"])
    return [sizes.get(pool, 0) for pool in pools]


class Copies(NamedTuple):
    """Bytes of a captured stage's copies of its passes: of one for each micro-batch in flight, and
    of the one for all that a stage which recomputes has of its first forward."""

    slot: float
    once: float


def copies_of(stage: CapturedStage, segments: Segments | None = None) -> Copies:
    """The bytes of a captured stage, the mean over its slots: pools, and what is filled before a
    replay, which lies outside of them.  `segments` as for `pool_bytes`."""
    if segments is None:
        segments = torch.cuda.memory_snapshot()
    each = _slot_bytes(stage.all, segments)
    once = _slot_bytes([stage.first], segments) if stage.recompute else 0.0
    return Copies(each / len(stage.all), once)


def _slot_bytes(slots: Sequence[Slot], segments: Segments) -> float:
    filled = block_bytes(tensor for slot in slots for tensor in slot.filled)
    return sum(pool_bytes([slot.pool for slot in slots], segments)) + filled


def cublas_bytes(setting: str) -> int:
    """Bytes that cuBLAS takes from the allocator for each thread that asks on a stream of its own.

    They are taken at the first product and stay, so a run whose lanes are warm has them before it
    starts: they are the process's, and no part of what a program is predicted to hold.  `setting`
    is what CUBLAS_WORKSPACE_CONFIG says (see `gpu.determinism`): pairs of KiB and a number of
    buffers, `:4096:8`.
    Source: PyTorch, CUDA semantics, cuBLAS workspaces; cuBLAS, results reproducibility.
    """
    numbers = [int(each) for each in setting.strip(":").split(":")]
    return KIB * sum(size * many for size, many in zip(numbers[::2], numbers[1::2], strict=True))
