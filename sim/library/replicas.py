"""Many jittered runs of one program at once, from Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.arrays import Floats, Ints
from sim.errors import ConfigurationError
from sim.experiment.options import Experiment
from sim.experiment.run import beside_neighbours, shared_machine
from sim.experiment.setup import VirtualSetup, rows_of
from sim.kernels.pairs import choose
from sim.library.asking import Asked, Order, with_order
from sim.numerics.tasks import stream
from sim.order.program import Program
from sim.times.contention import contends
from sim.times.engines import engine_of
from sim.times.replicas.blocks import Replica
from sim.times.replicas.replicate import replicate


@dataclass(frozen=True, eq=False, repr=False)
class Replicas:
    """Runs of one experiment that differ in the seed of their jitter alone.

    `seeds` and `makespan_s` (seconds) have shape (runs,): each run is the one that
    `sim.run(experiment, seed=seed)` gives.
    """

    experiment: Experiment
    seeds: Ints
    makespan_s: Floats

    @property
    def throughput_minibatches_per_s(self) -> Floats:
        """Mini-batches per second of the whole run, shape (runs,)."""
        rate: Floats = self.experiment.pipeline.minibatches / self.makespan_s
        return rate

    def __len__(self) -> int:
        return len(self.makespan_s)

    def __repr__(self) -> str:
        pipeline, times = self.experiment.pipeline, self.makespan_s
        return (f"{len(self)} replicas of {pipeline.schedule}, {pipeline.stages} stages, "
                f"{pipeline.minibatches} mini-batches\n"
                f"seeds {self.seeds[0]} to {self.seeds[-1]}\n"
                f"makespan {times.mean():.6g} s on average, {times.min():.6g} to "
                f"{times.max():.6g} s")


def replicas(experiment: Asked = None, /, *, runs: int, program: Order = None, **keys: Any
             ) -> Replicas:
    """Times of `runs` runs of one program, nothing learnt; seeds count from training.seed.

    `experiment`, `program` and `keys` as `sim.run` takes them.  Raises ConfigurationError,
    InvalidProgramError or DeadlockError.
    """
    resolved, order = with_order(experiment, keys, program)
    problems = [] if runs >= 1 else [f"runs: at least 1, got {runs}"]
    if resolved.pipeline.dispatch != "static":
        problems.append("pipeline.dispatch: replicas share one order, so it is static, got "
                        f"{resolved.pipeline.dispatch}")
    if problems:
        raise ConfigurationError(problems)
    seeds = resolved.training.seed + np.arange(runs)
    return Replicas(resolved, seeds, _makespans(resolved, order, seeds.tolist()))


def _makespans(experiment: Experiment, program: Program | None, seeds: list[int]) -> Floats:
    """The makespan of the program under the jitter of each seed."""
    rows = rows_of(experiment) if program is None else len(program)
    kernels = choose(rows, rows * len(seeds))
    setup = VirtualSetup.of(experiment, program, kernels=kernels)
    if shared_machine(setup) is not None:
        raise ConfigurationError(["costs.profile: replicas add up seconds that every instruction "
                                  "has of its own; with beside or issue_s call sim.run for each "
                                  "seed"])
    costs = [setup.costs] * len(seeds)
    if setup.profile is not None and contends(setup.profile):
        alone = engine_of("exact", "static", kernels)
        costs = [beside_neighbours(setup, alone(setup.program, setup.costs, setup.cluster,
                                                stream(seed, "jitter")))
                 for seed in seeds]
    runs = [Replica(own, setup.cluster, stream(seed, "jitter"))
            for own, seed in zip(costs, seeds, strict=True)]
    return replicate(setup.program, runs, kernels=kernels).makespan_s
