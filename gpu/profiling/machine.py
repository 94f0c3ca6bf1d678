"""What a measurement was taken on."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gpu.lanes.devices import DeviceSpec


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


@dataclass(frozen=True)
class Machine:
    """What a measurement was taken on: the devices asked for, and how busy the machine was with
    other things just before (running processes, mean over 1, 5 and 15 minutes; none unknown)."""

    specs: tuple[DeviceSpec, ...]
    load: tuple[float, ...]

    @classmethod
    def of(cls, specs: Sequence[DeviceSpec]) -> Machine:
        """This machine, at this moment."""
        return cls(tuple(specs), os.getloadavg() if hasattr(os, "getloadavg") else ())

    def head(self) -> dict[str, Any]:
        """For a validation's report."""
        return {"device": device_name(self.specs[0]), "devices": ",".join(map(str, self.specs)),
                "cores": os.cpu_count(), "load_before": self.load[0] if self.load else None,
                "date": date.today().isoformat(), "libraries": libraries()}

    def facts(self) -> dict[str, Any]:
        """For a study's report, where several devices may be one and threads are set."""
        devices, known = [spec.device for spec in self.specs], libraries()
        gpus = sorted({d.index or 0 for d in devices if d.type == "cuda"})
        return {"devices": [str(d) for d in devices],
                "gpus": [torch.cuda.get_device_name(i) for i in gpus],
                "cpu_cores": os.cpu_count(), "load_average": [round(v, 2) for v in self.load],
                "threads_per_device": torch.get_num_threads(), "platform": platform.machine(),
                "python": known["python"], "torch": known["torch"]}
