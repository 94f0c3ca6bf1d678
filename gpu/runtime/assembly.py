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
from sim.experiment.configuration import make_mitigation
from sim.experiment.options import Experiment
from sim.experiment.run import generate
from sim.numerics.optimizers import Adam, LearningRate, MomentumSGD, Optimizer
from sim.order.program import Program
from sim.weights.versions import VersionPlan

DTYPES = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class RunSettings:
    """What a run on real stages needs beyond the experiment: network, images, loss, optimizer.

    None: as many classes, and images of the size, that the network is meant for.  `costs` balance
    the cut, one per unit of the network; `data` is a directory of images (synthetic ones without
    it), `limit` how many of them to train on, `noise` that of the synthetic ones.
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

    experiment: Experiment
    settings: RunSettings
    program: Program
    plan: VersionPlan
    task: TorchTask
    stages: list[WatchedStage]


def assemble(experiment: Experiment, settings: RunSettings, devices: Sequence[torch.device], *,
             program: Program | None = None) -> Assembly:
    """Everything a run steps: stages on their devices, with weights drawn from the seed.

    `devices` has one for each device of the program, which is by default the experiment's own.
    Raises ConfigurationError where the experiment cannot be run on stages.
    """
    if experiment.workers.count > 1:
        raise ConfigurationError(["workers.count: the torch backend runs one worker, got "
                                  f"{experiment.workers.count}; sim runs several"])
    try:
        program = program or generate(experiment)
        plan = VersionPlan.of(program, make_mitigation(experiment.pipeline.mitigation),
                              experiment.pipeline.schedule)
        network = build(settings.model, class_count(settings.data, settings.classes),
                        experiment.training.seed)
        models = torch_stages(experiment, settings, network, homes(program, devices))
        options = image_options(experiment, settings, network)
        task = TorchTask(models, program.shape, options,
                         images_at(settings.data, options.image_size, settings.limit))
    except ConfigurationError:
        raise
    except ValueError as error:
        raise ConfigurationError([str(error)]) from None
    return Assembly(experiment, settings, program, plan, task,
                    [pipeline_stage(experiment, settings, plan, k, model)
                     for k, model in enumerate(models)])


def homes(program: Program, devices: Sequence[torch.device]) -> list[torch.device]:
    """The device of each stage, in the stages' order."""
    return [devices[device] for device in program.home[0].tolist()]


def stages_on(program: Program, device: int) -> list[int]:
    """Numbers of the stages that live on a device of the program, ascending."""
    return [k for k, at in enumerate(program.home[0].tolist()) if at == device]


def image_options(experiment: Experiment, settings: RunSettings, network: Network
                  ) -> ImageOptions:
    """What the task has to know of its images, from the experiment, settings and network."""
    training = experiment.training
    return ImageOptions(settings.image_size or network.image_size, network.classes,
                        training.batch_size, training.seed, DTYPES[settings.dtype], settings.noise)


def torch_stages(experiment: Experiment, settings: RunSettings, network: Network,
                 home: Sequence[torch.device]) -> list[TorchStage]:
    """The network's parts as models, each on its device in `home`, cut to balance their costs."""
    parts = cut(network, boundaries(network, len(home), settings.costs))
    again = experiment.pipeline.backward == "recompute"
    return [TorchStage(part.to(device, DTYPES[settings.dtype]), first=k == 0,
                       loss=LOSSES[settings.loss], recompute=again)
            for k, (part, device) in enumerate(zip(parts, home, strict=True))]


def pipeline_stage(experiment: Experiment, settings: RunSettings, plan: VersionPlan, k: int,
                   model: TorchStage) -> WatchedStage:
    """Stage `k` at version 0: the staleness semantics around its model, its optimizer and rate."""
    training = experiment.training
    schedule, updates = training.rate_schedule, plan.program.shape.minibatches
    rate = LearningRate(training.learning_rate, schedule.name, updates, schedule.every,
                        schedule.factor, schedule.warmup)
    return WatchedStage(k, model, make_optimizer(experiment, settings, model), plan, rate,
                        distances=training.distances, unit_horizons=plan.unit_horizons(k))


def make_optimizer(experiment: Experiment, settings: RunSettings, model: TorchStage) -> Optimizer:
    """The optimizer of one stage with its state at zero, as the settings and the experiment say."""
    training, zero = experiment.training, torch.zeros_like(model.live)
    if settings.optimizer == "adam":
        return Adam(training.momentum, zero)
    return MomentumSGD(training.momentum, training.convention, zero)
