"""The runtime: a program executed on real devices by a worker thread each, in one process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from time import perf_counter, process_time

import torch

from gpu.errors import NonFiniteError
from gpu.lanes.streams import Lane
from gpu.runtime.assembly import Assembly, stages_on
from gpu.runtime.links import Mailboxes, Stopped
from gpu.runtime.piece import collect
from gpu.runtime.ready import capture
from gpu.runtime.record import to_trace
from gpu.runtime.warm import warm
from gpu.runtime.worker import Worker
from sim.trace import Trace

POLL_S = 0.1
Watch = Callable[[int, int, float], None]


def run(assembly: Assembly, lanes: Sequence[Lane], *, strict: bool = True, evaluate: bool = True,
        watch: Watch | None = None) -> Trace:
    """Execute the assembly's program once, device d on `lanes[d]`; the trace of what happened.

    The stages keep their last weights.  `strict` ends the run at the first loss or weights that are
    not finite; `watch` hears of instructions done, of their number, and of seconds.  The first
    failure ends all workers and is raised: StageError or one of its kinds, or KeyboardInterrupt. No
    thread outlives the call.
    """
    graphs = capture(assembly, dict(enumerate(lanes)))
    program = assembly.messages
    links = Mailboxes(program, lanes)
    workers = [
        Worker(d, program, {k: assembly.stages[c] for k, c in stages_on(program, d).items()},
               assembly.task, lane, links, strict=strict, rounds=assembly.rounds)
        for d, lane in enumerate(lanes)]
    crew = _Crew(assembly, workers, links, watch)
    crew.work()
    measures = assembly.measures
    pieces = [collect(worker, measures) for worker in workers]
    if strict:
        check_finite(assembly, workers)
    final = assembly.task.evaluate(assembly.learnt) if evaluate else None
    return to_trace(assembly, program, pieces, {"cpu_s": crew.cpu_s}, final, graphs)


def check_finite(assembly: Assembly, workers: Sequence[Worker]) -> None:
    """Make sure that all weights are finite.  Raises NonFiniteError naming the first stage."""
    for worker in workers:
        for k, stage in sorted(worker.stages.items()):
            if not bool(torch.isfinite(stage.weights).all()):
                raise NonFiniteError(k, f"{k}U{assembly.program.shape.total - 1}",
                                     worker.lane.name, "its weights are not finite")


class _Crew:
    """The threads of a run: all stop at the first failure, and none is left behind.

    A worker's thread warms it up first, since much of what libraries keep is kept by thread.
    `cpu_s` are CPU seconds of this process from when the lanes' clocks started.
    """

    def __init__(self, assembly: Assembly, workers: Sequence[Worker], links: Mailboxes,
                 watch: Watch | None) -> None:
        self.assembly, self.workers = assembly, workers
        self.links, self.watch = links, watch
        self.cpu_s = 0.0
        self.failure: BaseException | None = None
        self.lock = threading.Lock()

    def work(self) -> None:
        """Warm all workers up, start the lanes' clocks, run all workers to their end."""
        threads = [ThreadPoolExecutor(1, f"device {worker.device}") for worker in self.workers]
        try:
            self._all(threads, lambda worker: warm(self.assembly, worker))
            for worker in self.workers:
                worker.lane.begin()
            began = process_time()
            self._all(threads, Worker.run)
            self.cpu_s = process_time() - began
        except BaseException:
            self.stop()
            raise
        finally:
            for thread in threads:
                thread.shutdown()

    def _all(self, threads: Sequence[ThreadPoolExecutor], what: Callable[[Worker], None]) -> None:
        """Do something with every worker in its thread.  Raises the first failure of any."""
        began = perf_counter()
        futures = [thread.submit(self._one, what, worker)
                   for thread, worker in zip(threads, self.workers, strict=True)]
        while wait(futures, POLL_S).not_done:
            self._tell(began)
        self._tell(began)
        if self.failure is not None:
            raise self.failure

    def _tell(self, began: float) -> None:
        if self.watch is not None:
            done = sum(len(worker.finished) for worker in self.workers)
            total = sum(len(worker.rows) for worker in self.workers)
            self.watch(done, total, perf_counter() - began)

    def _one(self, what: Callable[[Worker], None], worker: Worker) -> None:
        try:
            what(worker)
        except Stopped:
            pass
        except BaseException as error:
            with self.lock:
                self.failure = self.failure or error
            self.stop()

    def stop(self) -> None:
        """Let every worker end at its next instruction."""
        for worker in self.workers:
            worker.stopped = True
        self.links.stop()
        if self.assembly.rounds is not None:
            self.assembly.rounds.stop()
