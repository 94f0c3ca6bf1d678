"""What a validation goes through: every row of a grid at every batch and image size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch

from gpu.lanes.devices import DeviceSpec
from gpu.lanes.streams import Lane
from gpu.profiling.experiment import Effort
from gpu.runtime.assembly import Assembly, RunSettings, assemble
from sim.errors import ConfigurationError
from sim.experiment.compared.contender import Contender
from sim.experiment.making import make_mitigation
from sim.experiment.options import Experiment
from sim.experiment.recording import describe


@dataclass(frozen=True)
class Case:
    """One run to validate: its experiment, and the network it runs on."""

    experiment: Experiment
    settings: RunSettings

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

    def assemble(self, experiment: Experiment, settings: RunSettings) -> Assembly:
        """An experiment ready to run on these devices.  Raises ConfigurationError."""
        return assemble(experiment, settings, self.places)


def grid(experiment: Experiment, settings: RunSettings, contenders: Sequence[Contender],
         batches: Sequence[int] | None, images: Sequence[int] | None
         ) -> tuple[list[Case], list[str]]:
    """The cases of every contender at every batch size and image size (pixels of a side).

    Also says why some are left out.  Raises ConfigurationError where none is left.
    """
    cases, refused = [], []
    for image in images or (settings.image_size,):
        for batch in batches or (experiment.training.batch_size,):
            for one in contenders:
                changes = one.changes(experiment, experiment.training.seed)
                try:
                    case = experiment.changed(changes, {"training.batch_size": batch})
                    cases.append(Case(case, replace(settings, image_size=image)))
                except ConfigurationError as error:
                    refused += [f"{one.mitigation['name']}: {line}" for line in error.problems]
    if not cases:
        raise ConfigurationError(refused)
    return cases, refused


def sizes(option: str, text: str | None) -> list[int] | None:
    """The whole numbers of an option's text, `16,32`; None where it is not given.

    Raises ConfigurationError.
    """
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) for part in parts):
        raise ConfigurationError([f"{option}: whole numbers by commas, e.g. 16,32; got {text!r}"])
    return [int(part) for part in parts]
