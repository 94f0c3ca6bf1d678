"""What is run while costs drift: an experiment, the layers of its stages, and what each cut costs.

Layers are a layout's, or, where there is none, the weight layers of the digits' perceptron, over
which a stage's seconds are split evenly [choice].
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from analysis.drifting.course import Cut
from sim.arrays import Floats
from sim.errors import ConfigurationError, unknown
from sim.experiment.machine import cost_model, load_profile, make_cluster, per_stage, stage_sizes
from sim.experiment.making import make_combine
from sim.experiment.options import Experiment
from sim.experiment.setup import VirtualSetup
from sim.layouts.layers import FORMAT, cut, layers_by_letter, layers_in
from sim.layouts.text import stages_of
from sim.numerics.tasks import Task
from sim.schedules import SCHEDULES
from sim.times.cluster import Cluster
from sim.times.costs import CostModel
from sim.times.profile import Profile

OF_STAGES = ("input_backward_s", "weight_backward_s", "recompute_s", "overlapped_s")
GAIN = 0.01  # [choice] of what is left as it is, that a change has to save to be made


@dataclass(frozen=True)
class DriftProblem:
    """An experiment to run under policies, which may change something every `every` mini-batches.

    A layer that moves to another device takes its weights along and `state_copies` arrays as large
    (1: a velocity; Adam has 2 running means).  A planner has the named orders, or some, `orders`,
    to choose from, and where it may search for one itself (`rounds` moves, for orders that flush)
    that one too; what it changes has to save the share `gain` of all that is left.  It believes
    that a stage has another pace where what it measured is `doubt` standard errors away.
    """

    experiment: Experiment
    every: int
    state_copies: float = 1.0
    orders: tuple[str, ...] | None = None
    rounds: int = 0
    gain: float = GAIN
    doubt: float = 0.0

    def __post_init__(self) -> None:
        problems = [*self._problems()]
        if problems:
            raise ConfigurationError(problems)

    def _problems(self) -> list[str]:
        asked, found = self.experiment, []
        p = asked.pipeline
        if self.every < 1:
            found.append(f"--every: at least 1 mini-batch, got {self.every}")
        found += [f"--orders: {unknown('schedule', name, SCHEDULES.names())}"
                  for name in self.orders or () if name not in SCHEDULES.names()]
        if p.dispatch != "static":
            found.append("pipeline.dispatch: is what policies choose; leave it out")
        if p.chunks > 1 or p.ranks is not None or p.replicas is not None or p.splits is not None:
            found.append("pipeline: policies take a stage on each device, without chunks, ranks, "
                         "replicas and splits")
        if p.last_microbatches is not None:
            found.append("pipeline.last_microbatches: policies take mini-batches that are alike")
        if asked.workers.count > 1:
            found.append(f"workers.count: policies take one worker, got {asked.workers.count}")
        if asked.cluster.tied:
            found.append("cluster.tied: policies take stages without shared weights")
        return found

    @cached_property
    def setup(self) -> VirtualSetup:
        """The experiment resolved, with the task it trains.

        Raises ConfigurationError where policies cannot take its order or its profile.
        """
        found = VirtualSetup.of(self.experiment)
        if len(found.program.pairs) or found.program.several:
            raise ConfigurationError([f"pipeline.schedule: {self.experiment.pipeline.schedule} "
                                      "issues pairs or has several homes for a stage; policies "
                                      "take passes one by one"])
        if found.profile is not None and (found.profile.beside or found.profile.interpreter):
            raise ConfigurationError(["costs.profile: its stages share hardware or hosts (beside, "
                                      "interpreter), which policies know nothing of"])
        return found

    @cached_property
    def why_uncut(self) -> str:
        """Why layers cannot change places; empty where they can."""
        asked, stages = self.experiment, self.experiment.pipeline.stages
        given = [key for key in OF_STAGES if getattr(asked.costs, key) is not None]
        if given:
            return (f"costs.{given[0]}: is of stages as they are; layers that move take a layout "
                    "with costs.per_layer or costs.profile")
        if asked.pipeline.layout is not None:
            letters = sum(map(len, stages_of(asked.pipeline.layout)))
            if self.task is not None and letters != len(self.task_sizes) - 1:
                return (f"training.layers: the layout has {letters} layers, the task "
                        f"{len(self.task_sizes) - 1}; those that move are the same ones")
            return "" if letters > stages else "pipeline.layout: a stage has one layer each"
        if asked.costs.profile is not None:
            return "costs.profile: is of stages; one of layers, with pipeline.layout, can be cut"
        if len(self.task_sizes) - 1 <= stages:
            return ("pipeline.layout: nothing says which layers a stage has; give one, or "
                    "training.layers above pipeline.stages with the task digits-mlp")
        return ""

    @property
    def task(self) -> Task | None:
        """The task that is trained, cut as the experiment says; None where nothing is learnt."""
        return self.setup.task

    @cached_property
    def task_sizes(self) -> tuple[int, ...]:
        """Units before the first and after every weight layer of the task; () of one that has no
        layers."""
        models: Sequence[Any] = self.task.models if self.task is not None else ()
        if not models or not all(hasattr(model, "sizes") for model in models):
            return ()
        return (*models[0].sizes[:1], *(size for model in models for size in model.sizes[1:]))

    @cached_property
    def first_cut(self) -> Cut:
        """How many layers each stage has at first; () where they cannot change places."""
        if self.why_uncut:
            return ()
        layout = self.experiment.pipeline.layout
        if layout is not None:
            return tuple(map(len, stages_of(layout)))
        models: Sequence[Any] = self.task.models if self.task is not None else ()
        return tuple(len(model.sizes) - 1 for model in models)

    @cached_property
    def layers(self) -> Profile:
        """What every layer costs, where layers can change places."""
        asked = self.experiment
        if asked.pipeline.layout is None:
            return self._weight_layers()
        load_profile(asked)  # says what is wrong with the layers, if anything is
        stages = stages_of(asked.pipeline.layout)
        if asked.costs.per_layer is not None:
            return layers_by_letter(stages, asked.costs.per_layer)
        assert asked.costs.profile is not None
        return layers_in(asked.costs.profile)

    def _weight_layers(self) -> Profile:
        """The task's weight layers, each with an even share of its stage's seconds."""
        costs, counts = self.experiment.costs, np.array(self.first_cut)
        zero = np.zeros(len(counts))
        share = {name: np.repeat(per_stage(getattr(costs, name), len(counts), zero) / counts,
                                 counts)
                 for name in ("forward_s", "backward_s", "update_s")}
        sizes, examples = self.task_sizes, self._examples
        stages = [{"weight_bytes": 8.0 * (a + 1) * b, "activation_bytes": 8.0 * examples * b,
                   **{name: float(column[number]) for name, column in share.items()}}
                  for number, (a, b) in enumerate(itertools.pairwise(sizes))]
        return Profile.model_validate(FORMAT | {
            "stages": tuple(stages),
            "boundary_bytes": tuple(8.0 * examples * size for size in sizes[1:-1])})

    @property
    def _examples(self) -> int:
        return self.experiment.training.batch_size // self.experiment.pipeline.microbatches

    @cached_property
    def layer_bytes(self) -> Floats:
        """Bytes that move with each layer, (layers,): its weights and what its optimizer keeps."""
        weights = [each.weight_bytes or 0.0 for each in self.layers.stages]
        return np.array(weights) * (1.0 + self.state_copies)

    def machine(self, counts: Cut) -> tuple[CostModel, Cluster]:
        """Costs and links where the stages have so many layers each; of () those of the experiment
        as it is."""
        if counts not in self._machines:
            self._machines[counts] = self._made(counts)
        return self._machines[counts]

    @cached_property
    def _machines(self) -> dict[Cut, tuple[CostModel, Cluster]]:
        return {}

    def _made(self, counts: Cut) -> tuple[CostModel, Cluster]:
        if counts in ((), self.first_cut):
            return self.setup.costs, self.setup.cluster
        asked, profile = self.experiment, cut(self.layers, counts)
        costs = replace(cost_model(asked, profile),
                        per_micro_batch=self.setup.costs.per_micro_batch)
        return costs, make_cluster(asked, profile, stage_sizes(asked, profile, None),
                                   make_combine(asked.workers.combine))
