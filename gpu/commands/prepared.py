"""What `profile`, `validate` and `measure` check before anything is measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpu.lanes.devices import DeviceSpec
    from sim.experiment.options import Experiment


def prepared(experiment: Path | Experiment | None, settings: tuple[str, ...], devices: str,
             out: Path | None, **otherwise: int) -> tuple[list[DeviceSpec], Experiment]:
    """Devices that are there and an experiment that fits them, before anything is measured.

    `otherwise` are defaults of its keys, and `out` a folder that can be written to.
    Raises ConfigurationError, DeviceError or OutputError.
    """
    from gpu.determinism import exact
    from gpu.distributed.launch import check_out, experiment_for
    from gpu.lanes.devices import check_devices, parse_devices

    exact()
    specs = parse_devices(devices)
    resolved = experiment_for(experiment, settings, len(specs), **otherwise)
    check_devices(specs, resolved.shape.devices)
    check_out(out / "report.json" if out else None)
    return specs, resolved
