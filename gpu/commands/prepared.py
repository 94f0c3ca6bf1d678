"""What `profile`, `validate` and `measure` check before anything is measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpu.distributed.launch import Given
    from gpu.lanes.devices import DeviceSpec
    from sim.experiment.options import Experiment
    from sim.order.program import Program


def prepared(experiment: Path | Experiment | None, settings: tuple[str, ...], devices: str,
             out: Path | None, program: Given = None, **otherwise: Any
             ) -> tuple[list[DeviceSpec], Experiment, Program | None]:
    """Devices that are there and an experiment that fits them, before anything is measured.

    Also the program that is to run in place of a schedule's, where one is given.  `otherwise` are
    defaults of the experiment's keys, and `out` a folder that can be written to.  Raises
    ConfigurationError, InvalidProgramError, DeviceError or OutputError.
    """
    from gpu.determinism import exact
    from gpu.distributed.launch import asked_for, check_places
    from gpu.lanes.devices import parse_devices
    from sim.files.writing import check_folder

    exact()
    specs = parse_devices(devices)
    resolved, given = asked_for(experiment, settings, len(specs), program, **otherwise)
    check_places(specs, resolved, given)
    if out is not None:
        check_folder(out)
    return specs, resolved, given
