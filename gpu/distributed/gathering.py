"""The pieces of all ranks on rank 0: clocks aligned, last weights in its stages, one trace."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Any

import torch
import torch.distributed as dist

from gpu.distributed.world import World
from gpu.lanes.clock import Bracket, offset
from gpu.runtime.assembly import Assembly
from gpu.runtime.piece import Piece
from gpu.runtime.ready import Graphs
from gpu.runtime.record import to_trace
from gpu.runtime.worker import Worker
from sim.trace import Trace


def gather(world: World, control: Any, piece: Piece, worker: Worker) -> list[Any] | None:
    """Every rank's piece with its stages' weights and buffers, on rank 0 in rank order.

    `control` is the gloo group of all ranks; the other ranks get None.
    """
    own = {k: (stage.weights.cpu(), {name: b.cpu() for name, b in
                                     stage.model.module.named_buffers()})
           for k, stage in worker.stages.items()}
    pieces = [None] * world.size if world.rank == 0 else None
    dist.gather_object((piece, own), pieces, dst=0, group=control)
    return pieces


def clock_offsets(world: World, control: Any) -> list[Bracket]:
    """On rank 0 how far each rank's clock is ahead of ours, in seconds.

    The other ranks answer, and get an empty list.
    """
    offsets = [Bracket(0.0, 0.0)]
    answer = torch.zeros(1, dtype=torch.float64)
    if world.rank:
        for _ in range(16):
            dist.recv(answer, 0, group=control)
            dist.send(torch.tensor([perf_counter()], dtype=torch.float64), 0, group=control)
        return []

    def ask(rank: int) -> tuple[float, float, float]:
        before = perf_counter()
        dist.send(answer, rank, group=control)
        dist.recv(answer, rank, group=control)
        return before, float(answer), perf_counter()

    for rank in range(1, world.size):
        offsets.append(offset(lambda rank=rank: ask(rank)))  # type: ignore[misc]
    return offsets


def whole_trace(assembly: Assembly, found: Sequence[tuple[Piece, dict[int, Any]]],
                before: Sequence[Bracket], after: Sequence[Bracket], evaluate: bool,
                graphs: Graphs) -> Trace:
    """The trace of a distributed run on rank 0's clock; its stages get all ranks' last weights.

    `found` are the ranks' pieces, `before` and `after` their clocks' offsets at both ends of the
    run; with `evaluate` the loss and accuracy of the last weights are in it.  `graphs` is what
    rank 0 says of its own stages.
    """
    for (piece, own), first, last in zip(found, before, after, strict=True):
        _shift(piece, (first.middle_s + last.middle_s) / 2)
        drift = abs(last.middle_s - first.middle_s)
        piece.clock["residual_s"] += max(first.half_width_s, last.half_width_s) + drift / 2
        for k, (weights, buffers) in own.items():
            stage = assembly.stages[k]
            stage.refresh(weights.to(stage.model.live.device))
            for name, buffer in stage.model.module.named_buffers():
                buffer.copy_(buffers[name])
    pieces = [piece for piece, _ in found]
    final = assembly.task.evaluate([s.weights for s in assembly.stages]) if evaluate else None
    return to_trace(assembly, assembly.messages, pieces, {"ranks": len(pieces)}, final,
                    graphs)


def _shift(piece: Piece, by_s: float) -> None:
    for name in ("start_s", "end_s", "arrived_s", "asked_s", "issued_s"):
        setattr(piece, name, [t - by_s for t in getattr(piece, name)])
