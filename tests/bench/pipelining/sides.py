"""The two sides: a rank of our runtime and a rank of PyTorch's, each stepped by mini-batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributed.pipelining import (
    PipelineStage,
    Schedule1F1B,
    ScheduleGPipe,
    ScheduleInterleaved1F1B,
)

from gpu.distributed.ranks import ready
from gpu.images.task import TorchTask
from gpu.lanes.streams import Lane
from gpu.model.cutter import boundaries, cut
from gpu.model.networks import build
from gpu.model.stage_model import LOSSES
from gpu.runtime.assembly import Assembly, assemble
from gpu.runtime.assembly import stages_on
from sim.op import Op
from tests.bench.pipelining.cases import LEARNING_RATE, MOMENTUM, Case

SCHEDULES: dict[str, Callable[..., Any]] = {
    "gpipe": ScheduleGPipe, "1f1b": Schedule1F1B, "interleaved": ScheduleInterleaved1F1B}


class Ours:
    """Our runtime: the worker of this rank, given the rows of one mini-batch at a time."""

    def __init__(self, case: Case, rank: int, lane: Lane) -> None:
        homes = [lane.device if r == rank else torch.device("cpu") for r in range(case.ranks)]
        self.assembly = assemble(case.experiment, case.work.settings, homes)
        self.worker, self.links, _ = ready(rank, self.assembly, lane)
        self.parts = self._minibatches()
        lane.begin()

    def _minibatches(self) -> list[range]:
        """The rows of this rank's device, parted after the last update of each mini-batch."""
        rows, first = self.worker.program.rows, self.worker.rows.start
        updates = [row for row in self.worker.rows if rows.op[row] == Op.U]
        ends = np.array(updates).reshape(-1, len(self.worker.stages)).max(axis=1) + 1
        return [range(a, b) for a, b in zip([first, *ends[:-1].tolist()], ends.tolist(),
                                            strict=True)]

    def prepare(self, step: int) -> None:
        self.worker.rows = self.parts[step]

    def step(self) -> None:
        self.worker.run()

    def finish(self) -> None:
        self.links.finish()

    def losses(self) -> list[float]:
        """Mean loss of every micro-batch so far, where the last stage is."""
        self.worker.lane.rest()
        self.worker.losses.poll()
        return [value for _, value in sorted(self.worker.losses.values.items())]

    def weights(self) -> dict[int, Tensor]:
        return {k: stage.weights for k, stage in self.worker.stages.items()}


class Torchs:
    """PyTorch's: the same parts as its stages, its schedule, its optimizer.

    It gets the images of a mini-batch made ready before the clock starts; ours picks its own.
    """

    def __init__(self, case: Case, rank: int, lane: Lane, assembly: Assembly) -> None:
        work, self.task = case.work, assembly.task
        network = build(work.model, None, assembly.experiment.training.seed)
        parts = cut(network, boundaries(network, case.stages))
        self.mine = {k: parts[k].to(lane.device).train()
                     for k in stages_on(assembly.program, rank)}
        stages = [PipelineStage(part, k, case.stages, lane.device)
                  for k, part in self.mine.items()]
        self.schedule = SCHEDULES[case.schedule](
            stages if len(stages) > 1 else stages[0], work.microbatches,
            loss_fn=LOSSES[work.settings.loss])
        self.optimizer = torch.optim.SGD(
            [p for part in self.mine.values() for p in part.parameters()], LEARNING_RATE, MOMENTUM)
        self.has_first, self.has_last = 0 in self.mine, case.stages - 1 in self.mine
        self.inputs: list[Tensor] = []
        self.target: dict[str, Tensor] = {}
        self.found: list[Tensor] = []
        self.microbatches = work.microbatches

    def prepare(self, step: int) -> None:
        those = range(step * self.microbatches, (step + 1) * self.microbatches)
        if self.has_first:
            self.inputs = [whole(self.task.inputs, those)]
        if self.has_last:
            self.target = {"target": whole(self.task.target, those)}

    def step(self) -> None:
        losses: list[Tensor] = []
        self.optimizer.zero_grad()
        self.schedule.step(*self.inputs, **self.target, losses=losses, return_outputs=False)
        self.optimizer.step()
        self.found += losses

    def finish(self) -> None:
        pass

    def losses(self) -> list[float]:
        return [float(loss) for loss in self.found]

    def weights(self) -> dict[int, Tensor]:
        return {k: torch.cat([p.detach().reshape(-1) for p in part.parameters()])
                for k, part in self.mine.items()}


def whole(part: Callable[[int], Tensor], those: range) -> Tensor:
    """A mini-batch of what `part` gives by micro-batch."""
    return torch.cat([part(each) for each in those])
