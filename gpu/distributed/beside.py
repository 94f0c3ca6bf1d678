"""Ranks started by this process, which is one of them: no torchrun is needed on one host."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from gpu.distributed.watched import watched
from gpu.distributed.world import World
from sim.errors import MistakeError

HOST = "127.0.0.1"
PATIENCE = timedelta(minutes=2)  # a rank imports torch before it says that it is there
END_S = 10.0  # in which a rank that is done ends


@contextmanager
def ranks_beside(size: int, work: Callable[..., Any], *given: Any) -> Iterator[World]:
    """The place of this process, rank 0 of `size`; the others are processes of their own.

    Each does `work(world, *given)`, which has to be importable, as `given` has to be picklable.  No
    process is left when the context ends, whatever ended it.
    """
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    store = TCPStore(HOST, 0, is_master=True, wait_for_workers=False, timeout=PATIENCE)
    places = [World(rank, size, rank, HOST, store.port) for rank in range(size)]
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    others = [context.Process(target=_rank, args=(place, work, given), daemon=True)
              for place in places[1:]]
    done = False
    try:
        for each in others:
            each.start()
        yield places[0]
        done = True
    finally:
        for each in others:
            if each.pid is not None:
                if not done:
                    each.kill()
                each.join(END_S)
                if each.is_alive():
                    each.kill()
                    each.join()
        del store  # whoever asked it has ended


def _rank(world: World, work: Callable[..., Any], given: tuple[Any, ...]) -> None:
    """The life of a rank's process; what goes wrong in it rank 0 hears from its last beat."""
    try:
        watched(world, lambda: work(world, *given), host=False)
    except MistakeError:
        raise SystemExit(1) from None
