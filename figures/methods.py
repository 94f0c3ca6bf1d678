"""The methods the figures compare, how each is drawn, and the pipeline they are compared in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from sim.experiment.compared.contender import Contender
from sim.experiment.configuration import resolve
from sim.experiment.options import Experiment
from sim.experiment.run import generate, run
from sim.op import Op
from sim.trace import Trace

FORWARD_S, BACKWARD_S = 1.0, 2.0  # of a whole mini-batch on one stage
BATCH, EPOCH = 28, 1437  # images; 7 micro-batches divide the batch
MINIBATCHES = 800
# high enough that staleness matters and sequential training still does well
RATES = {3: 0.6, 8: 0.05}


class Method(NamedTuple):
    """Its name in figures, the contender it is (`analysis.comparison.compare`), colour, line."""

    label: str
    contender: str
    colour: str
    line: str = "-"


METHODS = (
    Method("sequential", "none@sequential", "black"),
    Method("none", "none", "vermilion"),
    Method("stash", "stash", "orange"),
    Method("vertical-sync", "vertical-sync", "grey"),
    Method("spectrain", "spectrain", "blue"),
    Method("spectrain-stashed", "spectrain-stashed", "sky"),
    Method("nwpt", "nwpt", "purple"),
    Method("i-timeprest", "i-timeprest", "green"),
    Method("timeprest, nF1B 7", "timeprest@nf1b/7", "purple", "--"),
    Method("v-timeprest, nF1B 7", "v-timeprest@nf1b/7", "vermilion", "--"),
    Method("i-timeprest, nF1B 7", "i-timeprest@nf1b/7", "green", "--"),
)
NAMED = {method.label: method for method in METHODS}


def document(stages: int, rate: float, **pipeline: Any) -> dict[str, Any]:
    """A plain configuration of the common pipeline: digits, batch 28, 800 mini-batches."""
    return {"pipeline": {"stages": stages, "minibatches": MINIBATCHES, **pipeline},
            "training": {"batch_size": BATCH, "learning_rate": rate, "evaluate_every": 40}}


def experiment(base: Mapping[str, Any], contender: str, seed: int) -> Experiment:
    """One method in the pipeline of `base`, with equal work whatever the micro-batches.

    A mini-batch takes a stage 1 s forward and 2 s backward, in as many instructions as its
    schedule has.
    """
    plain = Contender.parse(contender).document(resolve(dict(base)), seed)
    n = plain["pipeline"].get("microbatches", 1)
    plain["costs"] = {"forward_s": FORWARD_S / n, "backward_s": BACKWARD_S * _covered(
        plain["pipeline"].get("schedule", "round-robin"), plain["pipeline"]["stages"], n) / n}
    return resolve(plain)


@cache
def _covered(schedule: str, stages: int, microbatches: int) -> int:
    """Micro-batches of one backward instruction."""
    program = generate(resolve({"pipeline": {
        "schedule": schedule, "stages": stages, "minibatches": 2, "microbatches": microbatches},
        "training": {"task": "none"}}))
    return int(program.rows.count[program.rows.op == Op.B][0])


def trained(base: Mapping[str, Any], contender: str, seed: int) -> Trace:
    """The trace of one method and seed."""
    return run(experiment(base, contender, seed))


def configuration(base: Mapping[str, Any], methods: Iterable[Method], **more: Any
                  ) -> dict[str, Any]:
    """What to write into a picture of these methods."""
    return {**base, "contenders": {m.label: m.contender for m in methods},
            "seconds_of_a_mini_batch_on_a_stage": {"forward": FORWARD_S, "backward": BACKWARD_S},
            **more}


def mean_sd(values: Sequence[float | None]) -> tuple[float, float]:
    """Mean and sample standard deviation over seeds; NaN as soon as one is missing."""
    known = np.array([np.nan if v is None else v for v in values], dtype=np.float64)
    return float(known.mean()), float(known.std(ddof=1)) if len(known) > 1 else 0.0


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
