"""How a network's layers are laid out on devices: cut, chunks, replicas and tensor ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from sim.rows import Row
from sim.times.profile import Profile

MOST_SHOWN = 6  # stages, or runs of stages that are alike, that are listed one by one


@dataclass(frozen=True)
class Arrangement:
    """Layers cut into stages, and the devices that each of these is on.

    `counts` are the layers of each stage, (stages,), with `chunks` consecutive stages in turn on
    each device of a pipeline.  There are `workers` such pipelines, which average their gradients;
    or else stage k alone has `replicas[k]` devices that take mini-batches in turn.  What a stage
    does is split over `ways` devices wherever it is; `tensor` is the table of that name in an
    experiment (None: none is needed).  `stages` is what each stage costs and holds on one of its
    devices, all of that in it.  `number` tells cuts of as many stages apart, from 0.
    """

    counts: tuple[int, ...]
    stages: Profile
    chunks: int = 1
    workers: int = 1
    replicas: tuple[int, ...] | None = None
    ways: int = 1
    number: int = 0
    tensor: Row | None = None

    @property
    def depth(self) -> int:
        """Devices of a pipeline that has one for each stage or chunk, tensor ways apart."""
        return len(self.counts) // self.chunks

    @property
    def devices(self) -> int:
        """Devices in all."""
        homes = self.depth if self.replicas is None else sum(self.replicas)
        return homes * self.workers * self.ways

    @property
    def laid_out(self) -> str:
        """A short name: `4x2x1` for a pipeline of 4 devices, twice, in one tensor way.

        Two chunks follow as `v2`, replicas as `r3_1_1`, a second cut as `cut2`.
        """
        parts = [f"{self.depth}x{self.workers}x{self.ways}"]
        if self.chunks > 1:
            parts.append(f"v{self.chunks}")
        if self.replicas is not None:
            return f"{self.depth}x1x{self.ways}-r" + "_".join(map(str, self.replicas)) + (
                f"-cut{self.number + 1}" if self.number else "")
        if self.number:
            parts.append(f"cut{self.number + 1}")
        return "-".join(parts)

    @property
    def row(self) -> Row:
        """What an advice's row says of it."""
        return {"laid_out": self.laid_out, "stages": len(self.counts), "chunks": self.chunks,
                "workers": self.workers, "ways": self.ways, "devices_used": self.devices,
                "replicas": None if self.replicas is None else list(self.replicas),
                "layers": list(self.counts), "tensor": self.tensor}


def layout_of(counts: Sequence[int]) -> str:
    """A cut in the letters of `pipeline.layout`: `t*3|t|t*2` for stages of 3, 1 and 2 layers."""
    return "|".join("t" if count == 1 else f"t*{count}" if count else "" for count in counts)


def in_short(counts: Sequence[int]) -> str:
    """Layers of each stage for a reader: `3, 4, 2 × 1` for 3 4 1 1; from the least to the most
    where that would be long."""
    alike = [(count, len(list(each))) for count, each in groupby(counts)]
    if len(alike) > MOST_SHOWN:
        return f"{len(counts)} × {min(counts)} to {max(counts)}"
    return ", ".join(f"{times} × {count}" if times > 1 else f"{count}" for count, times in alike)
