"""What a validation goes through, one at a time, and what it is measured on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch

from gpu.lanes.devices import DeviceSpec
from gpu.lanes.streams import Lane
from gpu.profiling.experiment import Effort, shortened
from gpu.runtime.assembly import Assembly, RunSettings, assemble
from sim.experiment.making import make_mitigation
from sim.experiment.options import Experiment
from sim.experiment.program_file import first_minibatches
from sim.experiment.recording import describe
from sim.order.program import Program


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


@dataclass(frozen=True)
class Bench:
    """The devices to validate on, and how long to measure: `repeats` timed runs of each case."""

    specs: Sequence[DeviceSpec]
    lanes: Sequence[Lane]
    effort: Effort = field(default_factory=Effort)
    repeats: int = 3

    @property
    def places(self) -> list[torch.device]:
        """Where torch puts the tensors of each device."""
        return [spec.device for spec in self.specs]

    def assemble(self, experiment: Experiment, settings: RunSettings,
                 program: Program | None = None) -> Assembly:
        """An experiment ready to run on these devices, under a `program` of the user's own where
        there is one.  Raises ConfigurationError."""
        return assemble(experiment, settings, self.places, program=program)
