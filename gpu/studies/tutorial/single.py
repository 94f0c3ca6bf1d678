"""A whole network on one device, trained as anyone would in torch: the honest baseline.

No stage, no program, no stash: modules in one piece, `loss.backward()`, `torch.optim.SGD`.  Images
and first weights are those of the pipeline it is compared with.
"""

from __future__ import annotations

from time import perf_counter

import torch
from torch import Tensor, nn

from gpu.images.datasets import class_count
from gpu.lanes.streams import Lane
from gpu.model.networks import build
from gpu.model.stage_model import LOSSES
from gpu.runtime.assembly import assemble
from gpu.runtime.settings import DTYPES, RunSettings
from sim.experiment.configuration import resolve
from sim.experiment.options import Experiment


class Single:
    """A whole network on one device and the training steps it will take; `train` times them."""

    def __init__(self, experiment: Experiment, settings: RunSettings, lane: Lane) -> None:
        training = experiment.training
        alone = resolve({
            "pipeline": {"stages": 1, "schedule": "sequential",
                         "minibatches": experiment.pipeline.minibatches},
            "training": experiment.document().get("training", {})})
        self.lane, self.minibatches = lane, alone.pipeline.minibatches
        self.task = assemble(alone, settings, [lane.device]).task
        network = build(settings.model, class_count(settings.data, settings.classes),
                        training.seed)
        whole = nn.Sequential(*(unit for _, unit in network.units))
        self.module = whole.to(lane.device, DTYPES[settings.dtype]).train()
        self.loss = LOSSES[settings.loss]
        self.optimizer = torch.optim.SGD(self.module.parameters(), training.learning_rate,
                                         training.momentum)

    def train(self) -> float:
        """Seconds from the first forward to the last update, the device waited for at both ends.

        A step takes a whole batch, which is micro-batch 0, 1, … of a task with one per mini-batch.
        """
        with self.lane.current():
            self._wait()
            begun = perf_counter()
            for step in range(self.minibatches):
                self._step(step)
            self._wait()
            return perf_counter() - begun

    def _step(self, number: int) -> None:
        self.optimizer.zero_grad()
        output = self.module(self.task.inputs(number))
        self.loss(output, self.task.target(number)).backward()
        self.optimizer.step()

    def _wait(self) -> None:
        if self.lane.device.type == "cuda":
            torch.cuda.synchronize(self.lane.device)

    @property
    def weights(self) -> Tensor:
        """All parameters (parameters,), in the order of the stages of a pipeline."""
        return torch.cat([p.detach().reshape(-1) for p in self.module.parameters()])
