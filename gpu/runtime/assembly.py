"""From an experiment to what both the runtime and the simulator's trainer can step."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gpu.images.datasets import class_count, images_at
from gpu.images.labelled import Images
from gpu.images.task import ImageOptions, TorchTask
from gpu.model.cutter import Network, boundaries, cut, given_ends
from gpu.model.networks import build
from gpu.model.stage_model import LOSSES, TorchStage
from gpu.runtime.rounds import Rounds
from gpu.runtime.settings import DTYPES, RunSettings
from gpu.runtime.stage import watched_stage
from sim.errors import ConfigurationError, shown
from sim.experiment.demands.estimate import Part, refuse_beyond
from sim.experiment.learning.learners import as_homes, copy_rate
from sim.experiment.making import make_combine
from sim.experiment.options import Experiment
from sim.experiment.setup import Setup
from sim.numerics.distances import Measures
from sim.numerics.homes import Homes, round_sums
from sim.numerics.stage import Copy, Stage
from sim.order.program import Program
from sim.order.streams import NO_EDGES, NO_PAIRS
from sim.weights.versions import VersionPlan


@dataclass
class Kit:
    """What several runs of the same stages can share: the models of all stages, and the images.

    A stage that has several homes has a model on each, in the order of the program's copies.
    `computing` are the models that runs step, captured or not, `first` the weights (parameters,)
    and buffers that each had at first.
    """

    models: list[TorchStage]
    options: ImageOptions
    images: Images
    computing: list[Any]
    first: list[tuple[Tensor, list[Tensor]]]

    def as_at_first(self) -> Kit:
        """Bring every stage's weights and buffers back to what they were at first."""
        for model, (weights, buffers) in zip(self.models, self.first, strict=True):
            model.load(weights)
            for buffer, kept in zip(model.module.buffers(), buffers, strict=True):
                buffer.copy_(kept)
        return self


def kit_of(experiment: Experiment, settings: RunSettings, program: Program,
           devices: Sequence[torch.device], network: Network | None = None) -> Kit:
    """The models of all copies of a program's stages, on the program's `devices`, and their images.

    Without a `network` they are those of the one that the settings name.  Raises
    ConfigurationError or ValueError.
    """
    network = network or build(settings.model, class_count(settings.data, settings.classes),
                               experiment.training.seed)
    models = torch_stages(experiment, settings, network, program, devices)
    options = image_options(experiment, settings, network)
    if settings.data is None:
        refuse_beyond([Part("--image-size", "the synthetic images", options.synthetic_bytes)])
    images = images_at(settings.data, options.image_size, settings.limit) or options.synthetic()
    return Kit(models, options, images, list(models), [
        (model.first_weights(), [b.clone() for b in model.module.buffers()]) for model in models])


@dataclass(frozen=True)
class Assembly:
    """A program, the versions it reads, and stages ready to step through it once.

    `stages` has the copies of all stages by their numbers in the program, which are the stages'
    where each has one home; otherwise `rounds` is where their gradients meet.
    """

    setup: Setup
    settings: RunSettings
    plan: VersionPlan
    task: TorchTask
    stages: list[Stage[TorchStage]]
    kit: Kit
    rounds: Rounds | None = None

    @property
    def experiment(self) -> Experiment:
        """The experiment that is run."""
        return self.setup.experiment

    @property
    def program(self) -> Program:
        """The program that is executed, before it is lowered to messages."""
        return self.setup.program

    @property
    def messages(self) -> Program:
        """The program with a SEND and a RECV for every message, as devices execute it.

        Copies of a stage wait for each other where their gradients meet, not by its edges; and the
        two passes of a pair run one after the other, each when its message is there.
        """
        return replace(self.program, sync=NO_EDGES, pairs=NO_PAIRS).lower()

    @property
    def learnt(self) -> list[Tensor]:
        """What each stage has learnt, (parameters,), whichever of its copies it is on.

        Of copies that combine their gradients it is the one with the most updates, of others their
        mean.
        """
        return [stage.learnt for stage in self.learners]

    @property
    def measures(self) -> list[Measures]:
        """What was measured of each stage, whichever of its copies did it."""
        return [stage.measures for stage in self.learners]

    @property
    def learners(self) -> Sequence[Stage[TorchStage] | Homes]:
        """Each stage as training steps it, whichever copies it has."""
        if self.rounds is None:
            return self.stages
        return as_homes(self.plan, self.experiment.workers.copies, self.stages, self.rounds.sums)


def assemble(experiment: Experiment, settings: RunSettings, devices: Sequence[torch.device], *,
             program: Program | None = None, like: Assembly | None = None,
             network: Network | None = None) -> Assembly:
    """Everything a run steps: stages on their devices, with weights drawn from the seed.

    `devices` has one for each device of the program, which is by default the experiment's own.
    An assembly of the same stages and images, whose run is over, can be taken up again: what is
    `like` it shares its network, images and captured passes, and starts from its first weights.
    A `network` takes the place of the one that the settings name.
    Raises ConfigurationError where the experiment cannot be run on stages.
    """
    if experiment.workers.count > 1:
        raise ConfigurationError(["workers.count: the torch backend runs one worker, got "
                                  f"{experiment.workers.count}; sim runs several"])
    if experiment.tensor.ways not in (1, [1] * experiment.pipeline.stages):
        raise ConfigurationError(["tensor.ways: the torch backend runs each stage on one device, "
                                  f"got {experiment.tensor.ways}; sim shares it among several"])
    experiment = with_optimizer(experiment, settings)
    if make_combine(experiment.workers.combine).acts_alone:
        raise ConfigurationError(["workers.combine: the torch backend exchanges nothing, got "
                                  f"{experiment.workers.combine!r}; sim does"])
    try:
        setup = Setup.of(experiment, program)
        plan = setup.versions(setup.program)
        kit = (like.kit.as_at_first() if like is not None
               else kit_of(experiment, settings, setup.program, devices, network))
        task = TorchTask(first_homes(kit.models, setup.program), setup.shape, kit.options,
                         kit.images)
        if task.options.batch_size == setup.shape.microbatches or kit.options.image_size < 32:
            _check_smallest(task)
    except ConfigurationError:
        raise
    except ValueError as error:
        raise ConfigurationError([str(error)]) from None
    rounds = combining(setup, plan)
    return Assembly(setup, settings, plan, task,
                    [pipeline_stage(setup, plan, copy, model, rounds)
                     for copy, model in enumerate(kit.computing)], kit, rounds)


def combining(setup: Setup, plan: VersionPlan, *, apart: bool = False) -> Rounds | None:
    """Where the gradients of copies meet; None where every stage has one home.

    With `apart` every copy is left alone with its own, whatever the rule.
    """
    if not setup.program.several:
        return None
    return Rounds(round_sums(plan, "apart" if apart else setup.experiment.workers.copies))


def first_homes(models: Sequence[Any], program: Program) -> list[Any]:
    """Of the models of all copies the first of each stage."""
    if not program.several:
        return list(models)
    return [models[program.copies.of_stage(k)[0]] for k in range(program.shape.stages)]


def _check_smallest(task: TorchTask) -> None:
    """Refuse images, or micro-batches of one, that are too small for a layer of the network.

    Nothing is computed.  Raises ConfigurationError with what the layer says.
    """
    try:
        task.stage_sizes()
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError([
            f"training.batch_size, pipeline.microbatches, --image-size: a layer of the network "
            f"cannot take {len(task.inputs(0))} image(s) of {task.options.image_size} pixels a "
            f"side in a micro-batch ({shown(reason, 160)})"]) from None


def with_optimizer(experiment: Experiment, settings: RunSettings) -> Experiment:
    """The experiment as it will be run and recorded: with the optimizer the settings name."""
    if settings.optimizer is None:
        return experiment
    return experiment.changed({"training": {"optimizer": settings.optimizer}})


def stages_on(program: Program, device: int) -> dict[int, int]:
    """The stages that live on a device of the program, ascending, with their copies there."""
    copies = program.copies
    return {int(copies.stage[copy]): copy for copy, at in enumerate(copies.device.tolist())
            if at == device}


def image_options(experiment: Experiment, settings: RunSettings, network: Network
                  ) -> ImageOptions:
    """What the task has to know of its images, put together from experiment, settings, network."""
    training = experiment.training
    return ImageOptions(settings.image_size or network.image_size, network.classes,
                        training.batch_size, training.seed, DTYPES[settings.dtype], settings.noise)


def torch_stages(experiment: Experiment, settings: RunSettings, network: Network,
                 program: Program, devices: Sequence[torch.device]) -> list[TorchStage]:
    """The models of all copies: the network cut in parts of balanced costs, a part for each stage,
    and of that a copy on each of its homes among the program's `devices`."""
    stages = program.shape.stages
    parts = cut(network, boundaries(network, stages, settings.costs) if settings.cut is None
                else given_ends(network, stages, settings.cut))
    again, copies = experiment.pipeline.backward == "recompute", program.copies
    # the last home of a stage has the part itself, so that nothing is copied where it has one
    own = [parts[k] if number == copies.of_stage(k)[-1] else deepcopy(parts[k])
           for number, k in enumerate(copies.stage.tolist())]
    return [TorchStage(part.to(devices[device], DTYPES[settings.dtype]), first=k == 0,
                       loss=LOSSES[settings.loss], recompute=again)
            for part, k, device in zip(own, copies.stage.tolist(), copies.device.tolist(),
                                       strict=True)]


def pipeline_stage(setup: Setup, plan: VersionPlan, copy: int, model: TorchStage,
                   rounds: Rounds | None = None) -> Stage[TorchStage]:
    """A copy of a stage before its first update: a `Stage` around the model, with its own
    optimizer; its number is the stage's where each has one home, and then it needs no `rounds`."""
    training, copies = setup.experiment.training, plan.program.copies
    k = int(copies.stage[copy])
    optimizer = setup.optimizer.start(training.momentum, training.convention,
                                      torch.zeros_like(model.live))
    options: dict[str, Any] = {"distances": training.distances,
                               "unit_horizons": plan.unit_horizons(k)}
    if rounds is None:
        return watched_stage(k, model, optimizer, plan, setup.rate, **options)
    return watched_stage(k, model, optimizer, plan, copy_rate(setup, plan, copy), **options,
                         copy=Copy(copy, copies.does(copy).tolist(), rounds.of(copy),
                                   setup.experiment.workers.copies == "apart"))
