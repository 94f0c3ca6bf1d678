"""From an experiment to what both the runtime and the simulator's trainer can step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from gpu.images.datasets import class_count, images_at
from gpu.images.task import ImageOptions, TorchTask
from gpu.model.cutter import Network, boundaries, cut
from gpu.model.networks import build
from gpu.model.stage_model import LOSSES, TorchStage
from gpu.runtime.stage import WatchedStage
from sim.errors import ConfigurationError
from sim.experiment.options import Experiment
from sim.experiment.setup import Setup
from sim.numerics.optimizers import Adam, MomentumSGD, Optimizer
from sim.order.program import Program
from sim.weights.versions import VersionPlan

DTYPES = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class RunSettings:
    """What a run on real stages needs beyond the experiment: network, images, loss, optimizer.

    `data` is a directory of images (synthetic ones without it), `limit` how many of them to train
    on, `noise` that of the synthetic ones.
    """

    model: str = "narrow"
    image_size: int | None = None
    classes: int | None = None
    loss: str = "cross-entropy"
    optimizer: Literal["momentum", "adam"] = "momentum"
    dtype: str = "float32"
    costs: tuple[float, ...] | None = None
    data: str | None = None
    limit: int | None = None
    noise: float = 0.5


@dataclass(frozen=True)
class Assembly:
    """A program, the versions it reads, and stages ready to step through it once."""

    setup: Setup
    settings: RunSettings
    plan: VersionPlan
    task: TorchTask
    stages: list[WatchedStage]

    @property
    def experiment(self) -> Experiment:
        return self.setup.experiment

    @property
    def program(self) -> Program:
        return self.setup.program


def assemble(experiment: Experiment, settings: RunSettings, devices: Sequence[torch.device], *,
             program: Program | None = None) -> Assembly:
    """Stages on their devices (one per device of the program), with weights from the seed.

    Raises ConfigurationError.
    """
    if experiment.workers.count > 1:
        raise ConfigurationError(["workers.count: the torch backend runs one worker, got "
                                  f"{experiment.workers.count}; sim runs several"])
    try:
        setup = Setup.of(experiment, program)
        plan = setup.versions(setup.program)
        network = build(settings.model, class_count(settings.data, settings.classes),
                        experiment.training.seed)
        models = torch_stages(experiment, settings, network, homes(setup.program, devices))
        options = image_options(experiment, settings, network)
        task = TorchTask(models, setup.shape, options,
                         images_at(settings.data, options.image_size, settings.limit))
    except ConfigurationError:
        raise
    except ValueError as error:
        raise ConfigurationError([str(error)]) from None
    return Assembly(setup, settings, plan, task, [pipeline_stage(setup, settings, plan, k, model)
                                                  for k, model in enumerate(models)])


def homes(program: Program, devices: Sequence[torch.device]) -> list[torch.device]:
    """Device of each stage."""
    home = dict(zip(program.rows.stage.tolist(), program.device.tolist(), strict=True))
    return [devices[home[k]] for k in range(program.shape.stages)]


def image_options(experiment: Experiment, settings: RunSettings, network: Network
                  ) -> ImageOptions:
    training = experiment.training
    return ImageOptions(settings.image_size or network.image_size, network.classes,
                        training.batch_size, training.seed, DTYPES[settings.dtype], settings.noise)


def torch_stages(experiment: Experiment, settings: RunSettings, network: Network,
                 home: Sequence[torch.device]) -> list[TorchStage]:
    """The network's parts, each where it lives."""
    parts = cut(network, boundaries(network, len(home), settings.costs))
    again = experiment.pipeline.backward == "recompute"
    return [TorchStage(part.to(device, DTYPES[settings.dtype]), first=k == 0,
                       loss=LOSSES[settings.loss], recompute=again)
            for k, (part, device) in enumerate(zip(parts, home, strict=True))]


def pipeline_stage(setup: Setup, settings: RunSettings, plan: VersionPlan, k: int,
                   model: TorchStage) -> WatchedStage:
    """The staleness semantics around the model of stage `k`."""
    experiment = setup.experiment
    return WatchedStage(k, model, make_optimizer(experiment, settings, model), plan, setup.rate,
                        distances=experiment.training.distances,
                        unit_horizons=plan.unit_horizons(k))


def make_optimizer(experiment: Experiment, settings: RunSettings, model: TorchStage) -> Optimizer:
    training, zero = experiment.training, torch.zeros_like(model.live)
    if settings.optimizer == "adam":
        return Adam(training.momentum, zero)
    return MomentumSGD(training.momentum, training.convention, zero)
