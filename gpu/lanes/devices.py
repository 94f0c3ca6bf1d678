"""Devices as the user names them: `cpu,cpu`, `cuda:0,cuda:1`, or one GPU as two, `cuda:0/2`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from gpu.errors import DeviceError
from gpu.lanes.cuda import CudaLane
from gpu.lanes.streams import CpuLane, Lane
from sim.errors import did_you_mean, shown

MOST_PARTS = 64  # no GPU has so many groups of multiprocessors
_NAME = re.compile(r"(cpu)|cuda:(\d{1,4})(?:/(\d{1,9}))?")
FORMS = "write e.g. cpu,cpu or cuda:0,cuda:1 or cuda:0/2 (one GPU as two)"


@dataclass(frozen=True)
class DeviceSpec:
    """One device of a pipeline as the user named it: a CPU thread, a GPU, or a part of one.

    `part` counts from 0 among the `parts` equal ones of GPU `index`.
    """

    kind: str
    index: int = 0
    part: int = 0
    parts: int = 1

    @property
    def device(self) -> torch.device:
        """Where torch puts its tensors."""
        return torch.device("cpu") if self.kind == "cpu" else torch.device("cuda", self.index)

    def __str__(self) -> str:
        share = f"/{self.parts}#{self.part}" if self.parts > 1 else ""
        return "cpu" if self.kind == "cpu" else f"cuda:{self.index}{share}"


def parse_devices(text: str) -> list[DeviceSpec]:
    """The devices of a text like `cpu,cpu`; `cuda:0/2` gives two.

    Raises DeviceError with the forms there are.
    """
    specs = []
    for name in text.split(","):
        found = _NAME.fullmatch(name.strip())
        if not found or found.group(3) == "0":
            near = did_you_mean(name.strip(), ("cpu", "cuda:0", "cuda:1", "cuda:0/2"))
            raise DeviceError(f"{shown(name.strip())} is not a device{near}; {FORMS}")
        if found.group(3) and int(found.group(3)) > MOST_PARTS:
            raise DeviceError(f"{shown(name.strip())}: a GPU is used as at most {MOST_PARTS}")
        if found.group(1):
            specs.append(DeviceSpec("cpu"))
        else:
            index, parts = int(found.group(2)), int(found.group(3) or 1)
            specs += [DeviceSpec("cuda", index, part, parts) for part in range(parts)]
    return specs


def check_devices(specs: Sequence[DeviceSpec], needed: int) -> None:
    """Make sure that this machine has the devices, and that they are as many as needed.

    Raises DeviceError, also where CPUs and GPUs are mixed.
    """
    have = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for spec in specs:
        if spec.kind == "cuda" and spec.index >= have:
            there = ", ".join(f"cuda:{i}" for i in range(have)) or "no CUDA device"
            raise DeviceError(f"cuda:{spec.index} is not there: this machine has {there}; "
                              "--devices cpu,cpu always works")
    if len({spec.kind for spec in specs}) > 1:
        raise DeviceError("a pipeline runs on CPUs or on GPUs, not on both; " + FORMS)
    if len(specs) != needed:
        names = ",".join(map(str, specs))
        raise DeviceError(f"the program needs {needed} devices, --devices names {len(specs)} "
                          f"({names}); name one per device or set pipeline.stages={len(specs)}")


def open_lanes(specs: Sequence[DeviceSpec]) -> list[Lane]:
    """A `Lane` for every device, with its streams open."""
    lanes: list[Lane] = []
    for spec in specs:
        if spec.kind == "cpu":
            lanes.append(CpuLane(f"cpu#{len(lanes)}"))
            continue
        stream = None
        if spec.parts > 1:
            from gpu.lanes.partition import part_stream

            stream = part_stream(spec.index, spec.part, spec.parts)
        lanes.append(CudaLane(str(spec), spec.device, stream))
    return lanes


def rank_spec(specs: Sequence[DeviceSpec], local_rank: int) -> DeviceSpec:
    """The device of a rank: `specs` has one name for all of them (`cpu`), or one for each on this
    host.

    Raises DeviceError where there is none, or two ranks would share a GPU.
    """
    if all(spec.kind == "cpu" for spec in specs):
        return DeviceSpec("cpu")
    if local_rank >= len(specs) or specs[local_rank].parts > 1:
        names = ",".join(map(str, specs))
        raise DeviceError(f"local rank {local_rank} has no GPU of its own in --devices {names}; "
                          "two ranks cannot share one GPU")
    spec = specs[local_rank]
    check_devices([spec], 1)
    return spec
