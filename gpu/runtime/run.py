"""The runtime: a program executed on real devices by a worker thread each, in one process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from time import perf_counter

import torch

from gpu.errors import NonFiniteError
from gpu.lanes.streams import Lane
from gpu.runtime.assembly import Assembly, stages_on
from gpu.runtime.links import Mailboxes, Stopped
from gpu.runtime.piece import collect
from gpu.runtime.record import to_trace
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
    program = assembly.program.lower()
    links = Mailboxes(program, lanes)
    workers = [
        Worker(d, program, {k: assembly.stages[k] for k in stages_on(program, d)},
               assembly.task, lane, links, strict=strict)
        for d, lane in enumerate(lanes)]
    for lane in lanes:
        lane.begin()
    _Crew(workers, links, watch).work()
    pieces = [collect(worker, assembly.stages) for worker in workers]
    if strict:
        check_finite(assembly, workers)
    final = assembly.task.evaluate([s.weights for s in assembly.stages]) if evaluate else None
    return to_trace(assembly, program, pieces, {}, final)


def check_finite(assembly: Assembly, workers: Sequence[Worker]) -> None:
    """Make sure that all weights are finite.  Raises NonFiniteError naming the first stage."""
    for worker in workers:
        for k, stage in sorted(worker.stages.items()):
            if not bool(torch.isfinite(stage.weights).all()):
                raise NonFiniteError(k, f"{k}U{assembly.program.shape.total - 1}",
                                     worker.lane.name, "its weights are not finite")


class _Crew:
    """The threads of a run: all stop at the first failure, and none is left behind."""

    def __init__(self, workers: Sequence[Worker], links: Mailboxes, watch: Watch | None
                 ) -> None:
        self.workers, self.links, self.watch = workers, links, watch
        self.failure: BaseException | None = None
        self.lock = threading.Lock()

    def work(self) -> None:
        threads = [threading.Thread(target=self._run, args=(worker,), daemon=True,
                                    name=f"device {worker.device}") for worker in self.workers]
        began = perf_counter()
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                while thread.is_alive():
                    thread.join(POLL_S)
                    self._tell(began)
        except BaseException:
            self.stop()
            raise
        finally:
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
        if self.failure is not None:
            raise self.failure

    def _tell(self, began: float) -> None:
        if self.watch is not None:
            done = sum(len(worker.finished) for worker in self.workers)
            total = sum(len(worker.rows) for worker in self.workers)
            self.watch(done, total, perf_counter() - began)

    def _run(self, worker: Worker) -> None:
        try:
            worker.run()
        except Stopped:
            pass
        except BaseException as error:
            with self.lock:
                self.failure = self.failure or error
            self.stop()

    def stop(self) -> None:
        for worker in self.workers:
            worker.stopped = True
        self.links.stop()
