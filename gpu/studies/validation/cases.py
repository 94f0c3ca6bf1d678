"""What a validation goes through, one at a time, and what it is measured on."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from gpu.lanes.devices import DeviceSpec
from gpu.lanes.streams import Lane
from gpu.profiling.experiment import Effort, shortened
from gpu.runtime.assembly import Assembly, assemble
from gpu.runtime.settings import RunSettings
from sim.experiment.making import make_mitigation
from sim.experiment.options import Experiment
from sim.experiment.program_file import first_minibatches
from sim.experiment.recording import describe
from sim.order.program import Program
from sim.schedules import SCHEDULES


@dataclass(frozen=True)
class Case:
    """One run to validate: its experiment, the network it runs on, and its order.

    `program` is an order of the user's own (None: the schedule's), `place` where in a report it
    stands, by size and row.
    """

    experiment: Experiment
    settings: RunSettings
    program: Program | None = None
    place: tuple[int, int] = (0, 0)

    def shortened(self, minibatches: int) -> Case:
        """The case cut to so many mini-batches (fewer where its own program has fewer), its
        weights not measured."""
        if self.program is None:
            return replace(self, experiment=shortened(self.experiment, minibatches))
        program = first_minibatches(self.program, minibatches)
        return replace(self, program=program,
                       experiment=shortened(self.experiment, program.shape.minibatches))

    def __str__(self) -> str:
        pipeline = self.experiment.pipeline
        name = describe(make_mitigation(pipeline.mitigation))
        return f"{name}@{pipeline.schedule}/{pipeline.microbatches}"


@dataclass
class Bench:
    """The devices to validate on, and how long to measure: `repeats` timed runs of each case.

    Runs of the same stages on the same images, one after another, share them: `kept` is what the
    last one left.
    """

    specs: Sequence[DeviceSpec]
    lanes: Sequence[Lane]
    effort: Effort = field(default_factory=Effort)
    repeats: int = 3
    kept: tuple[Any, Assembly] | None = None

    @property
    def places(self) -> list[torch.device]:
        """Where torch puts the tensors of each device."""
        return [spec.device for spec in self.specs]

    def assemble(self, experiment: Experiment, settings: RunSettings,
                 places: Sequence[torch.device] | None = None, *, program: Program | None = None
                 ) -> Assembly:
        """An experiment ready to run on these devices, under a `program` of the user's own where
        there is one; whatever was assembled before may not be run again.

        Raises ConfigurationError.
        """
        shared = _sharing(experiment, settings, program)
        like = self.kept[1] if self.kept is not None and self.kept[0] == shared else None
        if like is None:
            self.kept = None
            gc.collect()  # what a run held is in cycles: gone before the next one needs the room
        made = assemble(experiment, settings, places or self.places, program=program, like=like)
        self.kept = shared, made
        return made


def _sharing(experiment: Experiment, settings: RunSettings, program: Program | None) -> Any:
    """What two runs must have in common to share stages, images and recordings of passes."""
    pipeline, training = experiment.pipeline, experiment.training
    order = program or SCHEDULES[pipeline.schedule].program(experiment.shape)
    return (settings, tuple(order.copies.device.tolist()), tuple(order.copies.stage.tolist()),
            pipeline.backward, training.batch_size // pipeline.microbatches, training.batch_size,
            training.seed)
