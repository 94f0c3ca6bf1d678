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
from gpu.images.labelled import prepared
from gpu.lanes.streams import Lane
from gpu.model.cutter import boundaries, cut
from gpu.model.networks import build
from gpu.model.stage_model import LOSSES
from gpu.runtime.assembly import Assembly, assemble, stages_on
from gpu.runtime.settings import DTYPES
from sim.numerics.tasks import stream
from sim.numerics.tasks.digits import visiting_order
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
        self.links.begin()

    def _minibatches(self) -> list[range]:
        """The rows of this rank's device, parted after the last update of each mini-batch."""
        rows, first = self.worker.program.rows, self.worker.rows.start
        updates = [row for row in self.worker.rows if rows.op[row] == Op.U]
        ends = np.array(updates).reshape(-1, len(self.worker.stages)).max(axis=1) + 1
        return [range(a, b) for a, b in zip([first, *ends[:-1].tolist()], ends.tolist(),
                                            strict=True)]

    def step(self, step: int) -> None:
        self.worker.rows = self.parts[step]
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
    """PyTorch's: the same parts as its stages, its schedule, its optimizer, the same images."""

    def __init__(self, case: Case, rank: int, lane: Lane, assembly: Assembly) -> None:
        work, seed = case.work, assembly.experiment.training.seed
        network = build(work.model, None, seed)
        parts = cut(network, boundaries(network, case.stages))
        self.mine = {k: parts[k].to(lane.device, DTYPES[work.dtype]).train()
                     for k in stages_on(assembly.program, rank)}
        stages = [PipelineStage(part, k, case.stages, lane.device)
                  for k, part in self.mine.items()]
        self.schedule = SCHEDULES[case.schedule](
            stages if len(stages) > 1 else stages[0], work.microbatches,
            loss_fn=LOSSES[work.settings.loss])
        self.optimizer = torch.optim.SGD(
            [p for part in self.mine.values() for p in part.parameters()], LEARNING_RATE, MOMENTUM)
        self.batches = Batches(assembly, lane.device)
        self.has_first, self.has_last = 0 in self.mine, case.stages - 1 in self.mine
        self.found: list[Tensor] = []

    def step(self, step: int) -> None:
        losses: list[Tensor] = []
        given = [self.batches.inputs(step)] if self.has_first else []
        target = {"target": self.batches.target(step)} if self.has_last else {}
        self.optimizer.zero_grad()
        self.schedule.step(*given, **target, losses=losses, return_outputs=False)
        self.optimizer.step()
        self.found += [loss.detach() for loss in losses]

    def losses(self) -> list[float]:
        """Mean loss of every micro-batch so far, where the last stage is."""
        return [float(loss) for loss in self.found]

    def weights(self) -> dict[int, Tensor]:
        return {k: torch.cat([p.detach().reshape(-1) for p in part.parameters()])
                for k, part in self.mine.items()}


class Batches:
    """The mini-batches our task visits, each picked in one go; PyTorch's side cuts it itself."""

    def __init__(self, assembly: Assembly, device: torch.device) -> None:
        task, training = assembly.task, assembly.experiment.training
        self.options = task.options
        self.pixels, self.labels = (task.images.pixels.to(device), task.images.labels.to(device))
        visits = assembly.program.shape.minibatches * training.batch_size
        order = visiting_order(task.images.training, visits, stream(training.seed, "order"))
        self.order = torch.from_numpy(order.reshape(-1, training.batch_size)).to(device)

    def inputs(self, step: int) -> Tensor:
        """Images (batch, 3, side, side)."""
        return prepared(self.pixels[self.order[step]], self.options.image_size,
                        self.options.dtype)

    def target(self, step: int) -> Tensor:
        """Labels (batch,)."""
        return self.labels[self.order[step]]
