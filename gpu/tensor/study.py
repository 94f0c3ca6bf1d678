"""The question put to ranks: is a split pair the whole one, and what do its exchanges take?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist

from gpu.determinism import exact
from gpu.distributed.beside import ranks_beside
from gpu.distributed.watched import watched
from gpu.distributed.world import World, check_ranks, join
from gpu.lanes.devices import DeviceSpec
from gpu.profiling.machine import Machine
from gpu.tensor.equality import equality
from gpu.tensor.passes import pass_times
from gpu.tensor.timing import REPEATS, SIZES, all_reduce_samples, fitted, rounds
from gpu.tensor.training import WIDTH, trained
from sim.errors import ConfigurationError
from sim.experiment.options import Experiment
from sim.order.program import Program

MOST_WAYS = 16  # processes on one host


@dataclass(frozen=True)
class Asked:
    """What is asked: among how many `ways` a pair is split, the experiment that stages of such
    pairs are trained by, all-reduces of which `sizes` (bytes) are timed, and how often each.

    A `program` is trained through in place of the experiment's own.
    """

    experiment: Experiment
    ways: int = 2
    program: Program | None = None
    sizes: tuple[int, ...] = SIZES
    repeats: int = REPEATS

    @property
    def steps(self) -> int:
        """How many steps `measured` calls `done` after."""
        return 3 + rounds(self.repeats)


def measured(asked: Asked, done: Callable[[], None] = lambda: None) -> dict[str, Any] | None:
    """Ask ranks of this host (those of torchrun, or new processes): the answer on rank 0, else
    None.

    `done` is called after each of `asked.steps` steps.  Raises ConfigurationError or DeviceError
    before anything runs, StageError or RankError where a rank fails.
    """
    check(asked)
    world = World.of_environment()
    if world is not None:
        check_ranks(world, asked.ways)
        found = watched(world, lambda: on_rank(world, asked, done))
        return found if world.rank == 0 else None
    with ranks_beside(asked.ways, on_rank, asked) as place:
        return watched(place, lambda: on_rank(place, asked, done), host=False)


def check(asked: Asked) -> None:
    """Refuse what cannot be split or run.  Raises ConfigurationError with every problem."""
    problems = []
    if not 2 <= asked.ways <= MOST_WAYS or 2 * WIDTH % asked.ways:
        fits = [n for n in range(2, MOST_WAYS + 1) if 2 * WIDTH % n == 0]
        problems.append(f"--ways: one of {', '.join(map(str, fits))}, got {asked.ways}")
    if asked.experiment.workers.count > 1:
        problems.append("workers.count: the torch backend runs one worker, got "
                        f"{asked.experiment.workers.count}; sim runs several")
    if len(asked.sizes) < 4:
        problems.append("sizes: α and β need two sizes and two more to be checked on, got "
                        f"{len(asked.sizes)}")
    if problems:
        raise ConfigurationError(problems)


def on_rank(world: World, asked: Asked, done: Callable[[], None] = lambda: None
            ) -> dict[str, Any]:
    """What one rank does; all do it at once, and each has the answer.

    Raises ConfigurationError or StageError.
    """
    exact()
    join(world, torch.device("cpu"))
    try:
        group = dist.group.WORLD
        same = equality(world.rank, world.size, group)
        done()
        learnt = trained(asked.experiment, world.rank, world.size, asked.program)
        done()
        fit = fitted(all_reduce_samples(group, asked.sizes, asked.repeats, done), world.size)
        passes = pass_times(world.rank, fit, group, repeats=asked.repeats)
        done()
    finally:
        dist.destroy_process_group()
    return {"ways": world.size, **_head([DeviceSpec("cpu")]),
            "equality": same.as_dict(), "training": learnt.as_dict(),
            "all_reduce": fit.as_dict(), "passes": passes.as_dict(),
            "passed": same.passed and learnt.passed}


def _head(specs: Sequence[DeviceSpec]) -> dict[str, Any]:
    """The machine, with how busy it was just after."""
    head = Machine.of(specs).head()
    return {name: head[name] for name in ("device", "cores", "date", "libraries")} | {
        "load_after": head["load_before"]}
