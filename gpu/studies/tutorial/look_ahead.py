"""Training with and without NWPT's look-ahead: total time, and each epoch's losses, accuracies.

The NWPT paper's Figures 3.1 to 3.4 compare model parallelism with and without it.  A model
parallel run is `sequential`: no weight is stale there, and the look-ahead is Nesterov's gradient.
Where weights are stale is the asynchronous pipeline, so that pair is run beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from gpu.images.datasets import images_at
from gpu.images.synthetic import TRAINING
from gpu.lanes.devices import DeviceSpec
from gpu.runtime.settings import RunSettings
from gpu.studies.curves import curve_rows, judged
from gpu.studies.staleness.investigation import timing_pass, weight_pass
from gpu.studies.staleness.methods import Method
from sim.experiment.configuration import resolve
from sim.experiment.options import Experiment
from sim.numerics.training import TrainingResult
from sim.rows import Rows

METHODS = (
    Method("model parallel", "none", "sequential"),
    Method("model parallel, NWPT", "nwpt", "sequential"),
    Method("asynchronous pipeline", "none", "round-robin"),
    Method("asynchronous pipeline, NWPT", "nwpt", "round-robin"),
)


LEARNING_RATE = 0.0025
WHY_THIS_RATE = ("0.1 for batches of 256 (He et al. 2015) is 0.00625 for 16 (Goyal et al. 2017); "
                 "less than half of that, since nothing warms up and weights are stale")


@dataclass(frozen=True)
class Course:
    """What is learnt, how long, and how often: heavy ball with momentum 0.9, cross-entropy.

    The learning rate is one at which training converges [choice], for the reason in
    `WHY_THIS_RATE`.  Tried on a CPU at 64 pixels, ResNet-50 in the asynchronous pipeline without
    NWPT: the mean loss of the mini-batches of six epochs is 2.7, 2.2, 0.59, 0.059, 0.017, 0.003.
    """

    settings: RunSettings
    epochs: int
    seeds: Sequence[int]
    batch_size: int = 16
    learning_rate: float = LEARNING_RATE
    momentum: float = 0.9

    def base(self, stages: int) -> Experiment:
        """The experiment all methods start from, evaluated after each epoch.

        Raises DataError where the images cannot be read.
        """
        every = self.minibatches_per_epoch()
        return resolve({
            "pipeline": {"stages": stages, "minibatches": self.epochs * every},
            "training": {"batch_size": self.batch_size, "learning_rate": self.learning_rate,
                         "momentum": self.momentum, "convention": "heavy-ball",
                         "evaluate_every": every}})

    def minibatches_per_epoch(self) -> int:
        """The fewest mini-batches that visit as many images as there are to train on.

        Raises DataError where the images cannot be read.
        """
        s = self.settings
        found = images_at(s.data, s.image_size or 0, s.limit)
        return -(-(found.training if found else TRAINING) // self.batch_size)


def by_epoch(result: TrainingResult, every: int) -> Iterator[dict[str, Any]]:
    """Rows of epoch (from 1, of `every` mini-batches), its last mini-batch, quantity and value.

    Beside what evaluations say there is `epoch_loss`: the mean loss of the epoch's mini-batches, as
    they were trained on.
    """
    for row in curve_rows(result):
        if row["quantity"] != "minibatch_loss":
            yield {"epoch": row["minibatch"] // every, **row}
    for epoch, losses in enumerate(result.loss.reshape(-1, every), 1):
        yield {"epoch": epoch, "minibatch": epoch * every, "quantity": "epoch_loss",
               "value": float(losses.mean())}


def compare(course: Course, specs: Sequence[DeviceSpec], done: Callable[[], None] = lambda: None,
            within_s: float = math.inf) -> tuple[Rows, Rows]:
    """Train every method with every seed: rows of curves, and rows of totals.

    Curves have method, seed, epoch (from 1), quantity and value; totals method, seed, seconds and
    the last evaluation.  Weights and times come from different runs of one program; a first timing
    is not counted.  One seed is always done, another only where the longest so far would still fit
    into `within_s` seconds; an interrupt ends it too, and whole seeds that are done come back.
    """
    began, longest = perf_counter(), 0.0
    base = course.base(len(specs))
    curves: Rows = []
    totals: Rows = []
    timing_pass(METHODS[0].experiment(base, 0), course.settings, specs)
    for seed in course.seeds:
        start = perf_counter()
        if totals and start - began + longest > within_s:
            break
        try:
            found = _of_seed(course, base, seed, specs, done)
        except KeyboardInterrupt:
            if not totals:
                raise
            break
        curves += found[0]
        totals += found[1]
        longest = max(longest, perf_counter() - start)
    return curves, totals


def _of_seed(course: Course, base: Experiment, seed: int, specs: Sequence[DeviceSpec],
             done: Callable[[], None]) -> tuple[Rows, Rows]:
    curves: Rows = []
    totals: Rows = []
    for method in METHODS:
        experiment = method.experiment(base, seed)
        keys = {"method": method.label, "seed": seed}
        _, result, _ = weight_pass(experiment, course.settings, specs[0])
        ends = timing_pass(experiment, course.settings, specs)
        curves += [keys | row for row in by_epoch(result, base.training.evaluate_every)]
        totals.append(keys | {"total_s": float(ends[-1]), **judged(result.final),
                              "diverged_at": result.diverged_at})
        done()
    return curves, totals
