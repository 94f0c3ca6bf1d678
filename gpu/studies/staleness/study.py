"""From what the user asked of `python -m gpu staleness` to a study that can be run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gpu.determinism import exact
from gpu.lanes.devices import DeviceSpec, check_devices, parse_devices
from gpu.runtime.settings import RunSettings
from gpu.studies.staleness.investigation import Study
from gpu.studies.staleness.methods import methods, with_defaults
from sim.errors import ConfigurationError
from sim.files.writing import check_folder

DEFAULTS: dict[str, object] = {"pipeline.minibatches": 120, "training.batch_size": 16,
                               "training.learning_rate": 0.1, "training.evaluate_every": 4}


@dataclass(frozen=True)
class StudyRequest:
    """A staleness study as the command line asked for it; `mitigations` by commas, None for all."""

    experiment: Path | None
    settings: tuple[str, ...]
    devices: str
    run: RunSettings
    mitigations: str | None
    seeds: int
    target: float
    timed: bool
    threads: int
    out: Path


def prepare(request: StudyRequest) -> tuple[Study, Sequence[DeviceSpec]]:
    """Check a request: the study to run and its devices, a stage for each.

    Raises ConfigurationError, DeviceError or OSError before anything runs.
    """
    exact(request.threads)
    specs = parse_devices(request.devices)
    check_folder(request.out)
    check_devices(specs, len(specs))
    base = with_defaults(request.experiment, request.settings,
                         DEFAULTS | {"pipeline.stages": len(specs)})
    check_devices(specs, base.pipeline.stages)
    names = None
    if request.mitigations is not None:
        names = [name for each in request.mitigations.split(",") if (name := each.strip())]
        if not names:
            raise ConfigurationError(["--mitigations: name at least one, or leave it out for all"])
    chosen, refused = methods(base, names)
    return Study(base, request.run, chosen, refused, range(request.seeds), request.target,
                 request.timed), specs
