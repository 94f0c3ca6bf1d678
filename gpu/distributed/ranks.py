"""One rank of a distributed run: its own device's worker, the trace gathered on rank 0."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import perf_counter
from typing import NamedTuple

import torch.distributed as dist

from gpu.distributed.gathering import clock_offsets, gather, whole_trace
from gpu.distributed.heartbeat import Heartbeat
from gpu.distributed.rank_links import RankLinks
from gpu.distributed.world import World, join, open_store, wait_for_all
from gpu.lanes.streams import Lane
from gpu.runtime.assembly import Assembly, stages_on
from gpu.runtime.piece import collect
from gpu.runtime.ready import Graphs, capture
from gpu.runtime.run import POLL_S, check_finite
from gpu.runtime.warm import warm
from gpu.runtime.worker import Worker
from sim.trace import Trace

VERDICT_S = 15.0  # how long a broken connection waits to learn whose fault it was


def run_rank(world: World, lane: Lane, make: Callable[[], Assembly], *, strict: bool = True,
             evaluate: bool = True) -> Trace | None:
    """Execute this rank's device of the program `make` gives; the trace on rank 0, else None.

    Raises StageError of this rank's stages, or RankError about a rank that was lost or failed;
    after a RankError threads may still wait for that rank, so the process should end.
    """
    store = open_store(world, "heartbeat", host=True)
    wait_for_all(store, world)
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


class Ready(NamedTuple):
    """A rank's worker, warm, with its links to the other ranks, and whether its stages are
    captured."""

    worker: Worker
    links: RankLinks
    graphs: Graphs


def ready(rank: int, assembly: Assembly, lane: Lane, *, strict: bool = True) -> Ready:
    """The worker of a rank's device, ready to run in this thread once its lane and links begin.

    All ranks have to make theirs at once, inside the group of `gpu.distributed.world.join`, since
    links are tried out.  `strict` ends a run at the first loss that is not finite.  Raises
    StageError, or InvalidProgramError for an order in which messages would wait for each other.
    """
    graphs = capture(assembly, {rank: lane})
    program = assembly.messages
    with lane.current():
        links = RankLinks(program, assembly, rank, lane)
    mine = {k: assembly.stages[copy] for k, copy in stages_on(program, rank).items()}
    worker = Worker(rank, program, mine, assembly.task, lane, links, strict=strict)
    warm(assembly, worker)
    return Ready(worker, links, graphs)


def _execute(world: World, lane: Lane, make: Callable[[], Assembly], strict: bool,
             evaluate: bool) -> Trace | None:
    control = join(world, lane.device)
    assembly = make()
    worker, links, graphs = ready(world.rank, assembly, lane, strict=strict)
    before = clock_offsets(world, control)
    lane.begin()
    links.begin()
    worker.run()
    links.finish()
    piece = collect(worker, assembly.measures)
    if strict:
        check_finite(assembly, [worker])
    after = clock_offsets(world, control)
    pieces = gather(world, control, piece, worker)
    dist.destroy_process_group()
    return whole_trace(assembly, pieces, before, after, evaluate, graphs) if pieces else None
