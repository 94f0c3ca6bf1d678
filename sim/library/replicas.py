"""Many jittered runs of one program at once, from Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.arrays import Floats, Ints
from sim.errors import ConfigurationError
from sim.experiment.configuration import make_combine
from sim.experiment.options import Experiment
from sim.experiment.run import generate
from sim.experiment.setup import cost_model, load_profile, make_cluster, make_task, stage_sizes
from sim.library.asking import Asked, experiment_of
from sim.numerics.tasks import stream
from sim.times.contention import contended, contends
from sim.times.exact import timeline
from sim.times.replicas.blocks import Case
from sim.times.replicas.replicate import replicate
from sim.workers.synchronisation import synchronised


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


def replicas(experiment: Asked = None, /, *, runs: int, **keys: Any) -> Replicas:
    """Times of `runs` runs of one program, nothing learnt; seeds count from training.seed.

    `experiment` and `keys` as `sim.run` takes them.  Raises ConfigurationError or DeadlockError.
    """
    resolved = experiment_of(experiment, keys)
    problems = [] if runs >= 1 else [f"runs: at least 1, got {runs}"]
    if resolved.pipeline.dispatch != "static":
        problems.append("pipeline.dispatch: replicas share one order, so it is static, got "
                        f"{resolved.pipeline.dispatch}")
    if problems:
        raise ConfigurationError(problems)
    seeds = resolved.training.seed + np.arange(runs)
    return Replicas(resolved, seeds, _makespans(resolved, seeds.tolist()))


def _makespans(experiment: Experiment, seeds: list[int]) -> Floats:
    """The makespan of the program under the jitter of each seed."""
    program = synchronised(generate(experiment), make_combine(experiment.workers.combine))
    profile, task = load_profile(experiment), make_task(experiment)
    cluster = make_cluster(experiment, profile, stage_sizes(experiment, profile, task))
    costs = cost_model(experiment, profile)
    of_case = [costs] * len(seeds)
    if profile is not None and contends(profile):
        if experiment.workers.count > 1:
            raise ConfigurationError(["costs.profile: its stages share hardware, which is known "
                                      f"for one worker, got {experiment.workers.count} workers"])
        of_case = [contended(costs, profile, timeline(program, costs, cluster,
                                                      stream(seed, "jitter"))) for seed in seeds]
    cases = [Case(own, cluster, stream(seed, "jitter"))
             for own, seed in zip(of_case, seeds, strict=True)]
    return replicate(program, cases).makespan_s
