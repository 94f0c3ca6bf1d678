"""One device's stream stepped without the others: every message is there at once.

The worker is the runtime's own, so what is timed here is what a run executes, the loading of
weights and the mitigation's arithmetic included; only the neighbours' answers are made up.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from gpu.lanes.streams import Lane
from gpu.model.stage_model import TorchStage
from gpu.runtime.assembly import Assembly, pipeline_stage, stages_on
from gpu.runtime.canned import Canned, samples
from gpu.runtime.links import Stopped
from gpu.runtime.ready import capture
from gpu.runtime.worker import Worker
from sim.errors import ConfigurationError
from sim.numerics.stage import Stage
from sim.op import Op
from sim.order.program import Program

AHEAD_S = {True: 5e-4, False: 2e-2}  # how far the host has to be ahead, with graphs and without


@dataclass(frozen=True, slots=True)
class Done:
    """One executed instruction of a stage, with times in seconds of the host's clock.

    The device worked on it from `start_s` to `end_s`, the host asked for it from `asked_s` to
    `issued_s` (on a CPU the same).
    """

    stage: int
    op: Op
    index: int
    count: int
    start_s: float
    end_s: float
    asked_s: float
    issued_s: float

    @property
    def seconds(self) -> float:
        """How long the device worked on it."""
        return self.end_s - self.start_s


def refuse_several(program: Program) -> None:
    """Refuse stages with several homes, for a profile and what reckons with one.

    Raises ConfigurationError.
    """
    if program.several:
        raise ConfigurationError(["pipeline.schedule: a profile is of stages with one home each; "
                                  "take an order such as 1f1b, passes of copies take as long"])


class Solo:
    """The devices of an assembly, each to be run on its own; every pass starts afresh.

    `home` is the device of each stage, `samples` what its neighbours would send, and `graphs` says
    whether the stages are captured.  Raises ConfigurationError where a stage has several homes.
    """

    def __init__(self, assembly: Assembly, lanes: Sequence[Lane]) -> None:
        refuse_several(assembly.program)
        self.assembly, self.lanes = assembly, lanes
        self.program = assembly.messages
        self.samples = samples(assembly.task, assembly.program.shape.microbatches)
        self.home: list[int] = self.program.home[0].tolist()
        self.graphs = capture(assembly, dict(enumerate(lanes)))

    def worker(self, device: int, kind: type[Worker] = Worker) -> Worker:
        """A worker at the start of its stream, with new stages around the same models."""
        lane = self.lanes[device]
        with lane.current():
            stages = {k: self.stage(k) for k in stages_on(self.program, device)}
        return kind(device, self.program, stages, self.assembly.task, lane,
                    Canned(self.program, self.samples), strict=False)

    def stage(self, k: int) -> Stage[TorchStage]:
        """A new stage `k` around the assembly's model, at version 0."""
        given = self.assembly
        given.stages[k].model.reset()
        return pipeline_stage(given.setup, given.plan, k, given.stages[k].model)

    def alone(self, device: int) -> list[Done]:
        """What one device does with the others idle, its host ahead of it at every instruction.

        So an instruction takes what the device needs, however long it takes to ask for it.
        """
        worker, lane = self.worker(device, _Ahead), self.lanes[device]
        assert isinstance(worker, _Ahead)
        worker.ahead_s = AHEAD_S[self.graphs.used]
        lane.begin()
        worker.run()
        lane.finish()
        return self._done(worker)

    def beside(self, device: int) -> tuple[list[Done], list[Done]]:
        """What one device does with the others busy, and what the others do meanwhile.

        Every other device executes its own stream over and over.  Raises what ended a neighbour, if
        anything did.
        """
        worker = self.worker(device)
        others = [_Busy(self, d) for d in range(self.program.devices) if d != device]
        for lane in self.lanes:
            lane.begin()
        try:
            for other in others:
                other.start()
            worker.run()
            worker.lane.rest()
        finally:
            for other in others:
                other.stop()
        for lane in self.lanes:
            lane.finish()
        return self._done(worker), [done for other in others for each in other.workers
                                    for done in self._done(each)]

    def _done(self, worker: Worker) -> list[Done]:
        found, lane = [], worker.lane
        for span in worker.finished:
            op, stage, index, count = (int(column[span.row]) for column in self.program.rows)
            if op <= Op.U:
                found.append(Done(stage, Op(op), index, count, lane.seconds(span.start),
                                  lane.seconds(span.end), span.asked_s, span.left_s))
        return found


class _Ahead(Worker):
    """A worker whose host has asked for the whole of an instruction before its device begins it."""

    ahead_s = 0.0

    def _compute(self, row: int, op: Op, stage: int, index: int, count: int) -> None:
        self.lane.rest()
        self.lane.hold_up(self.ahead_s)
        super()._compute(row, op, stage, index, count)


class _Busy:
    """A thread that keeps one device busy from `start`, which waits for its first pass.

    `workers` are those it went through.
    """

    def __init__(self, solo: Solo, device: int) -> None:
        self.solo, self.device = solo, device
        self.under_way, self.over = threading.Event(), threading.Event()
        self.workers: list[Worker] = []
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, name=f"busy {device}", daemon=True)

    def _run(self) -> None:
        try:
            while not self.over.is_set():
                self.workers.append(self.solo.worker(self.device))
                self.workers[-1].run()
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
        if self.workers:
            self.workers[-1].stopped = True
        self.thread.join()
        if self.error is not None:
            raise self.error
