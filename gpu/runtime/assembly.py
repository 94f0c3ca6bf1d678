"""From an experiment to what both the runtime and the simulator's trainer can step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from gpu.images.datasets import class_count, images_at
from gpu.images.task import ImageOptions, TorchTask
from gpu.model.cutter import Network, boundaries, cut
from gpu.model.networks import build
from gpu.model.stage_model import LOSSES, TorchStage
from gpu.runtime.stage import watched_stage
from sim.errors import ConfigurationError
from sim.experiment.configuration import make_mitigation, make_optimizer
from sim.experiment.options import Experiment
from sim.experiment.run import generate
from sim.numerics.rate import LearningRate
from sim.numerics.stage import Stage
from sim.order.program import Program
from sim.weights.versions import VersionPlan

DTYPES = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class RunSettings:
    """What a run on real stages needs beyond the experiment: network, images, loss, optimizer.

    `optimizer` names one in place of the experiment's own, `data` is a directory of images
    (synthetic ones without it), `limit` how many of them to train on, `noise` that of the
    synthetic ones.
    """

    model: str = "narrow"
    image_size: int | None = None
    classes: int | None = None
    loss: str = "cross-entropy"
    optimizer: str | None = None
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
    stages: list[Stage[TorchStage]]


def assemble(experiment: Experiment, settings: RunSettings, devices: Sequence[torch.device], *,
             program: Program | None = None) -> Assembly:
    """Stages on their devices (one per device of the program), with weights from the seed.

    Raises ConfigurationError.
    """
    if experiment.workers.count > 1:
        raise ConfigurationError(["workers.count: the torch backend runs one worker, got "
                                  f"{experiment.workers.count}; sim runs several"])
    experiment = with_optimizer(experiment, settings)
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
                    [pipeline_stage(experiment, plan, k, model)
                     for k, model in enumerate(models)])


def with_optimizer(experiment: Experiment, settings: RunSettings) -> Experiment:
    """The experiment as it will be run and recorded: with the optimizer the settings name."""
    if settings.optimizer is None:
        return experiment
    training = experiment.training.model_copy(update={"optimizer": settings.optimizer})
    return experiment.model_copy(update={"training": training})


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


def pipeline_stage(experiment: Experiment, plan: VersionPlan, k: int, model: TorchStage
                   ) -> Stage[TorchStage]:
    """The staleness semantics around the model of stage `k`."""
    training = experiment.training
    schedule, updates = training.rate_schedule, plan.program.shape.minibatches
    rate = LearningRate(training.learning_rate, schedule.name, updates, schedule.every,
                        schedule.factor, schedule.warmup)
    optimizer = make_optimizer(training.optimizer).start(
        training.momentum, training.convention, torch.zeros_like(model.live))
    return watched_stage(k, model, optimizer, plan, rate, distances=training.distances,
                         unit_horizons=plan.unit_horizons(k))
