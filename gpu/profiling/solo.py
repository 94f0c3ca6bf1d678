"""One device's stream stepped without the others: every message is there at once.

The worker is the runtime's own, so what is timed here is what a run executes, the loading of
weights and the mitigation's arithmetic included; only the neighbours' answers are made up.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from gpu.lanes.streams import Lane
from gpu.model.stage_model import TorchStage
from gpu.runtime.assembly import Assembly, pipeline_stage, stages_on
from gpu.runtime.canned import Canned, samples
from gpu.runtime.links import Stopped
from gpu.runtime.worker import Worker
from sim.numerics.stage import Stage
from sim.op import Op


class Solo:
    """The devices of an assembly, each to be run on its own; every pass starts afresh.

    `home` is the device of each stage, `samples` what its neighbours would send.
    """

    def __init__(self, assembly: Assembly, lanes: Sequence[Lane]) -> None:
        self.assembly, self.lanes = assembly, lanes
        self.program = assembly.program.lower()
        self.samples = samples(assembly.task, assembly.program.shape.microbatches)
        self.home: list[int] = self.program.home[0].tolist()

    def worker(self, device: int) -> Worker:
        """A worker at the start of its stream, with new stages around the same models."""
        lane = self.lanes[device]
        with lane.current():
            stages = {k: self.stage(k) for k in stages_on(self.program, device)}
        return Worker(device, self.program, stages, self.assembly.task, lane,
                      Canned(self.program, self.samples), strict=False)

    def stage(self, k: int) -> Stage[TorchStage]:
        """A new stage `k` around the assembly's model, at version 0."""
        given = self.assembly
        return pipeline_stage(given.setup, given.plan, k, given.stages[k].model)

    def alone(self, device: int) -> dict[int, float]:
        """Seconds of each compute row of one device, the others idle; by row of the program."""
        worker, lane = self.worker(device), self.lanes[device]
        lane.begin()
        worker.run()
        return self._seconds(worker)

    def beside(self, device: int) -> dict[int, float]:
        """Seconds of each compute row of one device, the others busy; by row of the program.

        Every other device executes its own stream over and over.  Raises what ended a neighbour, if
        anything did.
        """
        worker, lane = self.worker(device), self.lanes[device]
        others = [_Busy(self, d) for d in range(self.program.devices) if d != device]
        lane.begin()
        try:
            for other in others:
                other.start()
            worker.run()
            lane.rest()
        finally:
            for other in others:
                other.stop()
        return self._seconds(worker)

    def _seconds(self, worker: Worker) -> dict[int, float]:
        lane = self.lanes[worker.device]
        lane.finish()
        return {span.row: lane.seconds(span.end) - lane.seconds(span.start)
                for span in worker.finished if self.program.rows.op[span.row] <= Op.U}


class _Busy:
    """A thread that keeps one device busy from `start`, which waits for its first pass."""

    def __init__(self, solo: Solo, device: int) -> None:
        self.solo, self.device = solo, device
        self.under_way, self.over = threading.Event(), threading.Event()
        self.current: Worker | None = None
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, name=f"busy {device}", daemon=True)

    def _run(self) -> None:
        try:
            while not self.over.is_set():
                self.current = self.solo.worker(self.device)
                self.current.run()
                self.solo.lanes[self.device].rest()
                self.under_way.set()
        except Stopped:
            pass
        except BaseException as error:
            self.error = error
        finally:
            self.under_way.set()

    def start(self) -> None:
        self.thread.start()
        self.under_way.wait()

    def stop(self) -> None:
        """Raises what ended the thread, if anything did."""
        self.over.set()
        if self.current is not None:
            self.current.stopped = True
        self.thread.join()
        if self.error is not None:
            raise self.error
