"""One rank of a distributed run: its own device's worker, the trace gathered on rank 0."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import torch
import torch.distributed as dist

from gpu.assembly import Assembly
from gpu.clock import Bracket, offset
from gpu.distributed import RankLinks, World, join, open_store
from gpu.heartbeat import Heartbeat
from gpu.record import Piece, collect, to_trace
from gpu.runtime import POLL_S, check_finite
from gpu.streams import Lane
from gpu.worker import Worker
from sim.trace import Trace

VERDICT_S = 15.0  # how long a broken connection waits to learn whose fault it was


def run_rank(world: World, lane: Lane, make: Callable[[], Assembly], *, strict: bool = True,
             evaluate: bool = True) -> Trace | None:
    """Execute this rank's device of the program `make` gives; the trace on rank 0, else None.

    Raises StageError of this rank's stages, or RankError about a rank that was lost or failed;
    after a RankError threads may still wait for that rank, so the process should end.
    """
    store = open_store(world, "heartbeat", host=True)
    with Heartbeat(store, world.rank, world.size) as heartbeat:
        body = _Body(lambda: _execute(world, lane, make, strict, evaluate))
        return body.watched_by(heartbeat)


class _Body:
    """Work in a thread of its own, so that a lost peer cannot hold the main thread."""

    def __init__(self, work: Callable[[], Trace | None]) -> None:
        self.work = work
        self.result: Trace | None = None
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, name="rank", daemon=True)

    def _run(self) -> None:
        try:
            self.result = self.work()
        except BaseException as error:
            self.error = error

    def watched_by(self, heartbeat: Heartbeat) -> Trace | None:
        self.thread.start()
        while self.thread.is_alive() and heartbeat.verdict is None:
            self.thread.join(POLL_S)
        if self.error is not None and _is_connection(self.error):
            self._ask(heartbeat)
        if heartbeat.verdict is not None and (self.error is None or _is_connection(self.error)):
            raise heartbeat.verdict
        if self.error is not None:
            raise self.error
        return self.result

    def _ask(self, heartbeat: Heartbeat) -> None:
        """A broken connection does not say who broke it; the heartbeat will."""
        until = perf_counter() + VERDICT_S
        while heartbeat.verdict is None and perf_counter() < until:
            threading.Event().wait(POLL_S)


def _is_connection(error: BaseException) -> bool:
    """Whether torch.distributed gave up, rather than a stage of ours."""
    while error.__cause__ is not None:
        error = error.__cause__
    words = ("gloo", "nccl", "connection", "socket", "store")
    return isinstance(error, (RuntimeError, ConnectionError)) and any(
        word in str(error).lower() for word in words)


def _execute(world: World, lane: Lane, make: Callable[[], Assembly], strict: bool,
             evaluate: bool) -> Trace | None:
    control = join(world, lane.device)
    assembly = make()
    program = assembly.program.lower()
    with lane.current():
        links = RankLinks(program, assembly, world.rank, lane)
    mine = sorted({int(k) for k in program.rows.stage[program.device == world.rank]})
    worker = Worker(world.rank, program, {k: assembly.stages[k] for k in mine}, assembly.task,
                    lane, links, strict=strict)
    before = clock_offsets(world, control)
    lane.begin()
    worker.run()
    links.finish()
    piece = collect(worker, assembly.stages)
    if strict:
        check_finite(assembly, [worker])
    after = clock_offsets(world, control)
    pieces = gather(world, control, piece, worker)
    dist.destroy_process_group()
    return _whole(assembly, pieces, before, after, evaluate) if pieces else None


def gather(world: World, control: Any, piece: Piece, worker: Worker) -> list[Any] | None:
    """Every rank's piece with its stages' weights and buffers, on rank 0 in rank order."""
    own = {k: (stage.weights.cpu(), {name: b.cpu() for name, b in
                                     stage.model.module.named_buffers()})
           for k, stage in worker.stages.items()}
    pieces = [None] * world.size if world.rank == 0 else None
    dist.gather_object((piece, own), pieces, dst=0, group=control)
    return pieces


def clock_offsets(world: World, control: Any) -> list[Bracket]:
    """On rank 0 each rank's clock minus ours; the other ranks answer and return nothing."""
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


def _whole(assembly: Assembly, found: Sequence[tuple[Piece, dict[int, Any]]],
           before: Sequence[Bracket], after: Sequence[Bracket], evaluate: bool) -> Trace:
    """The trace on rank 0's clock, with the last weights of all ranks in its stages."""
    for (piece, own), first, last in zip(found, before, after, strict=True):
        _shift(piece, (first.middle_s + last.middle_s) / 2)
        drift = abs(last.middle_s - first.middle_s)
        piece.clock["residual_s"] += max(first.half_width_s, last.half_width_s) + drift / 2
        for k, (weights, buffers) in own.items():
            stage = assembly.stages[k]
            stage.weights = weights.to(stage.model.live.device)
            for name, buffer in stage.model.module.named_buffers():
                buffer.copy_(buffers[name])
    pieces = [piece for piece, _ in found]
    final = assembly.task.evaluate([s.weights for s in assembly.stages]) if evaluate else None
    return to_trace(assembly, assembly.program.lower(), pieces, {"ranks": len(pieces)}, final)


def _shift(piece: Piece, by_s: float) -> None:
    for name in ("start_s", "end_s", "arrived_s"):
        setattr(piece, name, [t - by_s for t in getattr(piece, name)])
