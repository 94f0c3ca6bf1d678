"""Memory that is there however far a run has come: captured copies of passes, and libraries' own.

A captured pass works in memory of its recording: a pool of segments that the allocator hands to
nobody else, whether tensors live in them or not.  So `memory_allocated` does not tell what a
captured stage takes; the allocator's list of segments does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from gpu.profiling.footprint import block_bytes

Pool = tuple[int, int]  # as torch.cuda.graph_pool_handle gives it
KIB = 1024


def pool_bytes(pools: Iterable[Pool], segments: Sequence[Mapping[str, Any]] | None = None
               ) -> list[int]:
    """Bytes of the segments that belong to each pool, as the allocator lists them.

    `segments` is what `torch.cuda.memory_snapshot()` gives, and that by default.
    """
    if segments is None:
        segments = torch.cuda.memory_snapshot()
    sizes: dict[Pool, int] = {}
    for segment in segments:
        first, second = segment["segment_pool_id"]
        sizes[first, second] = sizes.get((first, second), 0) + int(segment["total_size"])
    return [sizes.get(pool, 0) for pool in pools]


def slot_bytes(pools: Sequence[Pool], outside: Iterable[Tensor],
               segments: Sequence[Mapping[str, Any]] | None = None) -> float:
    """Bytes of one captured copy of a stage's passes: `slot_bytes` of its `StageProfile`.

    The mean over copies with a pool each, and the tensors that all of them have `outside` of their
    pools (inputs, labels and gradient to be filled before a replay).
    """
    return (sum(pool_bytes(pools, segments)) + block_bytes(outside)) / len(pools)


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
