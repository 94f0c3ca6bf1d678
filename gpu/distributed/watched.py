"""A rank's work in a thread of its own, while its main thread listens for the other ranks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import perf_counter
from typing import Generic, TypeVar

from gpu.distributed.heartbeat import Heartbeat
from gpu.distributed.world import World, open_store, wait_for_all

POLL_S = 0.1
VERDICT_S = 15.0  # how long a broken connection waits to learn whose fault it was
T = TypeVar("T")


def watched(world: World, work: Callable[[], T], *, host: bool = True) -> T | None:
    """Do this rank's work once all ranks are there; what comes of it.

    Rank 0 keeps the store that they share, unless torchrun does or, without `host`, somebody else.
    Raises what the work raised, or RankError about a rank that was lost or failed; after that one
    threads may still wait for that rank, so the process should end.
    """
    store = open_store(world, "heartbeat", host=host)
    wait_for_all(store, world)
    with Heartbeat(store, world.rank, world.size) as heartbeat:
        return _Body(work).watched_by(heartbeat)


class _Body(Generic[T]):
    """Work in a thread of its own, so that a lost peer cannot hold the main thread."""

    def __init__(self, work: Callable[[], T]) -> None:
        self.work = work
        self.result: T | None = None
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, name="rank", daemon=True)

    def _run(self) -> None:
        try:
            self.result = self.work()
        except BaseException as error:
            self.error = error

    def watched_by(self, heartbeat: Heartbeat) -> T | None:
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
