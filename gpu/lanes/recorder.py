"""Recording a piece of work once, to replay it on the same memory: CUDA graphs behind a seam."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, TypeVar

import torch

Result = TypeVar("Result")
Replay = Callable[[], None]


class Recorder(Protocol):
    """What records work: everything torch is asked for meanwhile, with the memory it uses.

    A replay does the same work again on the same tensors, whatever they hold by then.
    """

    def pool(self) -> Any:
        """A new pool of memory, from which recordings that are replayed in turn may draw."""

    def record(self, work: Callable[[], Result], pool: Any) -> tuple[Replay, Result]:
        """A recording of `work` in memory of `pool`, and what it gave: the tensors that every
        replay fills.  Raises RuntimeError where the work cannot be recorded."""


class CudaRecorder:
    """A `Recorder` of CUDA graphs on one stream, which may belong to a part of a GPU.

    Work is recorded without being done.  Other threads may use their own streams meanwhile, and
    only one recording is made at a time.
    Source: CUDA Programming Guide, CUDA Graphs; torch.cuda.CUDAGraph.
    """

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def pool(self) -> Any:
        torch.cuda.empty_cache()  # else what eager passes have left would be held beside it
        return torch.cuda.graph_pool_handle()

    def record(self, work: Callable[[], Result], pool: Any) -> tuple[Replay, Result]:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.stream(self.stream):
            graph.capture_begin(pool=pool, capture_error_mode="thread_local")
            try:
                result = work()
            except BaseException:
                with suppress(RuntimeError):  # which says only that the recording is spoilt
                    graph.capture_end()
                raise
            graph.capture_end()
        return graph.replay, result
