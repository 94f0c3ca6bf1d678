"""What a measurement was taken on."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gpu.runtime.devices import DeviceSpec


def device_name(spec: DeviceSpec) -> str:
    """What a device is called: a GPU's product name, or the CPU's with its number of cores."""
    if spec.kind == "cuda":
        return str(torch.cuda.get_device_name(spec.index))
    return f"{_processor()}, {os.cpu_count()} cores"


def _processor() -> str:
    """What Linux or the platform calls the CPU."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def libraries() -> dict[str, str]:
    """Versions of the libraries a measurement depends on, by name."""
    return {"python": platform.python_version(), "numpy": np.__version__,
            "torch": str(torch.__version__)}


def machine(specs: Sequence[DeviceSpec]) -> dict[str, Any]:
    """What a report's head says of the machine: device, cores, load, date, libraries.

    The load is how busy the machine was with other things just before; None where it is unknown.
    """
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {"device": device_name(specs[0]), "devices": ",".join(map(str, specs)),
            "cores": os.cpu_count(), "load_before": load, "date": date.today().isoformat(),
            "libraries": libraries()}
