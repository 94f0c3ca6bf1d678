"""Stages of split pairs trained through a program on every rank, beside the same stages whole.

Each rank runs the whole pipeline, a thread for each stage, with its part of every pair; the ranks
meet in the pairs alone.  So all must execute the same order and read the same versions, and what
they have learnt together is what stages of whole pairs learn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from gpu.lanes.streams import CpuLane
from gpu.model.cutter import Network
from gpu.runtime.assembly import Assembly, assemble
from gpu.runtime.run import run
from gpu.runtime.settings import RunSettings
from gpu.tensor.pair import Collectives, Pair, SplitPair, joined
from sim.experiment.options import Experiment
from sim.op import Op
from sim.order.program import Program
from sim.trace import Trace

LIMIT_REL = 1e-12  # of float64, after tens of updates
SIDE, CLASSES, WIDTH = 8, 10, 48  # pixels of an image; numbers between two pairs
SETTINGS = RunSettings(image_size=SIDE, classes=CLASSES, dtype="float64")
LOG = ("op", "stage", "index", "count", "device", "version_read", "version_applied", "staleness")


@dataclass(frozen=True)
class Trained:
    """A program trained through on all ranks: whether they executed the same order and read the
    same versions, how far their weights are from those of stages of whole pairs (relative), and
    the all-reduces of each stage on a rank, over all its forwards and over all its backwards.

    The first stage, which owes nobody a gradient, takes none backward unless the backward is split.
    """

    schedule: str
    mitigation: str
    microbatches: int
    updates: int
    logs_equal: bool
    whole_logs_equal: bool
    staleness_max: int
    weights: float
    counts_equal: bool
    all_reduces: list[dict[str, int]]

    @property
    def passed(self) -> bool:
        """Whether all ranks did the same, and together what one rank does."""
        return (self.logs_equal and self.whole_logs_equal and self.counts_equal
                and self.weights <= LIMIT_REL)

    def as_dict(self) -> dict[str, Any]:
        """All of it for a report."""
        return {**asdict(self), "limit": LIMIT_REL, "passed": self.passed}


class Flat(nn.Sequential):
    """A pair behind what makes rows of images: (batch, 3, side, side) to (batch, leaving)."""


def perceptron(stages: int, seed: int) -> Network:
    """A network of one pair a stage, for images of 8 pixels a side, weights drawn from the seed.

    Raises ValueError for no stages.
    """
    if stages < 1:
        raise ValueError(f"a network has at least one stage, got {stages}")
    sizes = [3 * SIDE**2, *[WIDTH] * (stages - 1), CLASSES]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pairs: list[nn.Module] = [Pair(one, 2 * WIDTH, two)
                                  for one, two in pairwise(sizes)]
    pairs[0] = Flat(nn.Flatten(1), pairs[0])
    return Network("perceptron", tuple((f"pair{k}", pair) for k, pair in enumerate(pairs)),
                   CLASSES, SIDE)


def split(network: Network, rank: int, ways: int, collectives: Sequence[Collectives]
          ) -> Network:
    """The part that a rank has of a network of pairs; `collectives` has one for each.

    Raises ValueError where a pair cannot be shared equally.
    """
    units = []
    for (name, unit), own in zip(network.units, collectives, strict=True):
        parts = [SplitPair(part.to(torch.float64), rank, ways, own) if isinstance(part, Pair)
                 else part for part in (unit if isinstance(unit, Flat) else [unit])]
        units.append((name, nn.Sequential(*parts)))
    return Network(network.name, tuple(units), network.classes, network.image_size)


def trained(experiment: Experiment, rank: int, ways: int, program: Program | None = None
            ) -> Trained:
    """Train an experiment's stages, a pair each, split among the ranks, and whole on each.

    All ranks of the default group call it at once.  Raises ConfigurationError, or StageError where
    a stage fails.
    """
    stages, seed = experiment.pipeline.stages, experiment.training.seed
    # a group for each stage: threads of several stages meet their like in no order
    collectives = [Collectives(dist.new_group(list(range(ways)), backend="gloo"))
                   for _ in range(stages)]
    part = split(perceptron(stages, seed), rank, ways, collectives)
    mine, trace = _run(experiment, part, program, collectives)
    counts = [dict(each.counts) for each in collectives]
    whole, unsplit = _run(experiment, perceptron(stages, seed), program)
    log = log_of(trace)
    told: list[Any] = [None] * ways
    dist.all_gather_object(told, (log, counts, [_tensors(stage) for stage in mine.stages]))
    together = [joined([each[2][k] for each in told]) for k in range(stages)]
    pipeline = experiment.pipeline
    return Trained(
        pipeline.schedule, trace.header.mitigation, pipeline.microbatches,
        int((trace.op == Op.U).sum()),
        all(_same(log, each[0]) for each in told), _same(log, log_of(unsplit)),
        int(np.nanmax(trace.staleness)),
        max(_apart(one, two.weights) for one, two in zip(together, whole.stages, strict=True)),
        all(each[1] == counts for each in told), counts)


def log_of(trace: Trace) -> list[Any]:
    """What every instruction was and which version it read, column by column, (rows,) each."""
    return [getattr(trace, name) for name in LOG]


def _same(one: list[Any], two: list[Any]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


class _CountingLane(CpuLane):
    """A CPU thread that has all-reduces counted from when clocks start: not those of warming up."""

    def __init__(self, name: str, counted: Sequence[Collectives]) -> None:
        super().__init__(name)
        self.counted = counted

    def begin(self) -> None:
        for each in self.counted:
            each.begin()


def _run(experiment: Experiment, network: Network, program: Program | None,
         collectives: Sequence[Collectives] = ()) -> tuple[Assembly, Trace]:
    devices = program.devices if program is not None else experiment.shape.devices
    assembly = assemble(experiment, SETTINGS, [torch.device("cpu")] * devices, program=program,
                        network=network)
    home = assembly.program.home[0].tolist()
    lanes = [_CountingLane(f"cpu#{d}", [own for own, at in zip(collectives, home, strict=False)
                                        if at == d]) for d in range(devices)]
    return assembly, run(assembly, lanes, evaluate=False)


def _tensors(stage: Any) -> list[Tensor]:
    """The last weights of a stage, a tensor for each of its module's parameters."""
    parameters = list(stage.model.module.parameters())
    flat = stage.weights.split([each.numel() for each in parameters])
    return [part.view(each.shape) for part, each in zip(flat, parameters, strict=True)]


def _apart(parts: list[Tensor], whole: Tensor) -> float:
    """How far a pair's tensors are from the whole one's flat weights, relative to its largest."""
    flat = torch.cat([each.reshape(-1) for each in parts])
    return float((flat - whole).abs().max() / whole.abs().max())
