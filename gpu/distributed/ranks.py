"""One rank of a distributed run: its own device's worker, the trace gathered on rank 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch.distributed as dist

from gpu.distributed.gathering import clock_offsets, gather, whole_trace
from gpu.distributed.rank_links import RankLinks
from gpu.distributed.watched import watched
from gpu.distributed.world import World, join
from gpu.lanes.streams import Lane
from gpu.runtime.assembly import Assembly, stages_on
from gpu.runtime.piece import collect
from gpu.runtime.ready import Graphs, capture
from gpu.runtime.run import check_finite
from gpu.runtime.warm import warm
from gpu.runtime.worker import Worker
from sim.trace import Trace


def run_rank(world: World, lane: Lane, make: Callable[[], Assembly], *, strict: bool = True,
             evaluate: bool = True) -> Trace | None:
    """Execute this rank's device of the program `make` gives; the trace on rank 0, else None.

    Raises StageError of this rank's stages, or RankError about a rank that was lost or failed;
    after a RankError threads may still wait for that rank, so the process should end.
    """
    return watched(world, lambda: _execute(world, lane, make, strict, evaluate))


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
