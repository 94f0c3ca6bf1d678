"""Both sides of one case: first that they do the same work, then their steps in turn."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import torch
import torch.distributed as dist

from gpu.lanes.streams import Lane
from tests.bench.pipelining.cases import Case
from tests.bench.pipelining.ratios import Seconds
from tests.bench.pipelining.sides import Ours, Torchs

CHECKED, LEFT_OUT = 2, 5  # steps whose results are compared; first steps that are not timed
CLOSE = {"cpu": 1e-6, "cuda": 1e-5}  # relative; kernels on a GPU may differ


def compared(case: Case, rank: int, lane: Lane, control: Any) -> Seconds:
    """Steps of both sides in turn, in this rank and all others; equal on every rank.

    `control` is a gloo group of all ranks.  Raises SystemExit where the sides do different work.
    """
    ours = Ours(case, rank, lane)
    theirs = Torchs(case, rank, lane, ours.assembly)
    sides = {"ours": ours, "theirs": theirs}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for step in range(case.work.steps):
        for name in list(sides)[:: 1 if step % 2 else -1]:
            dist.barrier(group=control)
            start = perf_counter()
            sides[name].step(step)
            _rest(lane)
            seconds[name].append(perf_counter() - start)
        if step + 1 == CHECKED:
            check(case, lane, ours, theirs)
    ours.finish()
    every: list[Any] = [None] * case.ranks
    dist.all_gather_object(every, seconds, group=control)
    slowest = {name: [max(each) for each in zip(*(of[name] for of in every), strict=True)]
               for name in sides}
    return Seconds(case.name, *(slowest[name][LEFT_OUT:] for name in ("ours", "theirs")))


def _rest(lane: Lane) -> None:
    """Until the device has done all it was asked for, by whichever side."""
    if lane.device.type == "cuda":
        torch.cuda.synchronize(lane.device)


def check(case: Case, lane: Lane, ours: Ours, theirs: Torchs) -> None:
    """Refuse to compare sides whose losses or weights differ.  Raises SystemExit."""
    close = CLOSE[lane.device.type]
    pairs = zip(ours.losses(), theirs.losses(), strict=True)
    apart = {"losses": max((abs(a - b) / abs(b) for a, b in pairs), default=0.0)}
    own = theirs.weights()
    for k, weights in ours.weights().items():
        apart[f"weights of stage {k}"] = float((weights - own[k]).norm() / own[k].norm())
    wrong = {what: value for what, value in apart.items() if not value <= close}
    if wrong:
        raise SystemExit(f"{case.name}: the sides do different work, relative differences {wrong}")
