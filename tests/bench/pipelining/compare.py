"""Both sides of one case: first that they do the same work, then their seconds in turn."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from gpu.lanes.streams import Lane
from tests.bench.pipelining.cases import Case
from tests.bench.pipelining.ratios import Seconds
from tests.bench.pipelining.sides import Ours, Torchs

CHECKED, LEFT_OUT = 3, 5  # steps whose results are compared; first steps that are not timed
RUNS = {"cpu": 1, "cuda": 3}  # of each side, in turn
CLOSE = 1e-8  # relative, in float64: sums in another order pass, anything else does not


def compared(case: Case, rank: int, lane: Lane, control: Any) -> Seconds:
    """Steps of both sides in turn, in this rank and all others; equal on every rank.

    Before that the same in float64 is checked to do the same work.  `control` is a gloo group of
    all ranks.  Raises SystemExit where the sides do different work.
    """
    exact = replace(case, work=replace(case.work, dtype="float64", steps=CHECKED))
    check(case.name, *stepped(exact, rank, lane, control)[:2])
    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(RUNS[lane.device.type]):
        found = stepped(case, rank, lane, control)[2]
        seconds = {name: [*seconds[name], *found[name][LEFT_OUT:]] for name in seconds}
    every: list[Any] = [None] * case.ranks
    dist.all_gather_object(every, seconds, group=control)
    slowest = {name: [max(each) for each in zip(*(of[name] for of in every), strict=True)]
               for name in seconds}
    return Seconds(case.name, slowest["ours"], slowest["theirs"])


def stepped(case: Case, rank: int, lane: Lane, control: Any
            ) -> tuple[Ours, Torchs, dict[str, list[float]]]:
    """Both sides after all steps of a case, and this rank's seconds of each."""
    ours = Ours(case, rank, lane)
    theirs = Torchs(case, rank, lane, ours.assembly)
    sides = {"ours": ours, "theirs": theirs}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for name, step in turns(case.work.steps, lane.device.type):
        dist.barrier(group=control)
        start = perf_counter()
        sides[name].step(step)
        _rest(lane)
        seconds[name].append(perf_counter() - start)
    ours.finish()
    return ours, theirs, seconds


def turns(steps: int, kind: str) -> list[tuple[str, int]]:
    """Whose step is next, and which: step by step on CPUs, each side's run as a whole on GPUs.

    Between two steps of ours a receive is posted ahead, which over NCCL is work on the device:
    PyTorch's steps are not to run beside it.
    """
    pairs = [("ours", step) for step in range(steps)], [("theirs", step) for step in range(steps)]
    if kind == "cuda":
        return [*pairs[0], *pairs[1]]
    return [side[step] for step in range(steps) for side in pairs[:: 1 if step % 2 else -1]]


def _rest(lane: Lane) -> None:
    """Until what either side has computed is done: not the whole device, see `turns`."""
    lane.rest()
    if lane.device.type == "cuda":
        torch.cuda.current_stream(lane.device).synchronize()


def check(name: str, ours: Ours, theirs: Torchs) -> None:
    """Refuse to compare sides whose losses or weights differ.  Raises SystemExit."""
    one, other = np.array(ours.losses()), np.array(theirs.losses())
    apart = {"losses": float(np.max(np.abs(one - other) / np.abs(other), initial=0.0))}
    own = theirs.weights()
    for k, weights in ours.weights().items():
        apart[f"weights of stage {k}"] = float((weights - own[k]).norm() / own[k].norm())
    wrong = {what: value for what, value in apart.items() if not value <= CLOSE}
    if wrong:
        raise SystemExit(f"{name}: the sides do different work, relative differences {wrong}")
