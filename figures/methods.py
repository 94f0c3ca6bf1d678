"""The methods the figures compare, how each is drawn, and the pipeline they are compared in."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from figures.drawing.colours import COLOURS
from sim.experiment.compared.contender import Contender
from sim.experiment.compared.entrant import entrants
from sim.experiment.configuration import resolve
from sim.experiment.options import Experiment
from sim.experiment.run import run
from sim.experiment.setup import generate
from sim.op import Op
from sim.spread import POSITIVE, Paired, Range, Spread, paired, spread_of
from sim.trace import Trace

FORWARD_S, BACKWARD_S = 1.0, 2.0  # of a whole mini-batch on one stage
BATCH, EPOCH = 28, 1437  # images; 7 micro-batches divide the batch
MINIBATCHES = 800
# high enough that staleness matters and sequential training still does well
RATES = {3: 0.6, 8: 0.05}
SYSTEM = "system:"  # before the name of a system among contenders


class Method(NamedTuple):
    """What figures call a method, its contender (`analysis.comparison.compare`), and its stroke.

    A contender may also be a system by name: `system:data-parallel`.  No two methods have colour,
    line and mark in common, nor line and mark, so that they are told apart in grey as well.
    """

    label: str
    contender: str
    colour: str
    line: str = "-"
    mark: str = "o"

    @property
    def hex(self) -> str:
        """The colour as matplotlib takes it."""
        return COLOURS[self.colour]


METHODS = (
    Method("sequential", "none@sequential", "black", "-", "v"),
    Method("none", "none", "vermilion", "-", "o"),
    Method("stash", "stash", "orange", "-", "s"),
    Method("vertical-sync", "vertical-sync", "indigo", "-", "D"),
    Method("spectrain", "spectrain", "blue", "-", "*"),
    Method("spectrain-stashed", "spectrain-stashed", "sky", "-", "p"),
    Method("nwpt", "nwpt", "purple", "-", "d"),
    Method("i-timeprest", "i-timeprest", "green", "-", ">"),
    Method("timeprest, nF1B 7", "timeprest@nf1b/7", "wine", "--", "<"),
    Method("v-timeprest, nF1B 7", "v-timeprest@nf1b/7", "brown", "--", "P"),
    Method("i-timeprest, nF1B 7", "i-timeprest@nf1b/7", "green", "--", "X"),
)
MORE = (  # what only some pictures show
    Method("GPipe 7 (flushed)", "none@gpipe/7", "black", ":", "^"),
    Method("data parallel", SYSTEM + "data-parallel", "grey", ":", "H"),
    Method("data parallel, scaled rate", SYSTEM + "data-parallel-scaled", "grey", "--", "8"),
    Method("spectrain, horizon update", "spectrain:horizon=update", "blue", ":", "*"),
)
NAMED = {method.label: method for method in (*METHODS, *MORE)}


class Dispatch(NamedTuple):
    """What figures call a way to choose what a device runs next, and how its bars are filled."""

    label: str
    colour: str
    hatch: str = ""


DISPATCHES = {"static": Dispatch("fixed order", "grey"),
              "greedy": Dispatch("greedy dispatch", "yellow", "/////")}


def document(stages: int, rate: float, **pipeline: Any) -> dict[str, Any]:
    """A plain configuration of the pipeline figures share: digits, batch 28, 800 mini-batches.

    `rate` is the learning rate; `pipeline` sets more keys of that table.
    """
    return {"pipeline": {"stages": stages, "minibatches": MINIBATCHES, **pipeline},
            "training": {"batch_size": BATCH, "learning_rate": rate, "evaluate_every": 40}}


def experiment(base: Mapping[str, Any], contender: str, seed: int) -> Experiment:
    """One method in the pipeline of `base`, with equal work whatever the micro-batches.

    A mini-batch takes a stage 1 s forward and 2 s backward, in as many instructions as its
    schedule has.
    """
    common = resolve(dict(base))
    if contender.startswith(SYSTEM):
        return _system(common, contender.removeprefix(SYSTEM), seed)
    chosen = common.changed(Contender.parse(contender).changes(common, seed))
    pipeline, n = chosen.pipeline, chosen.pipeline.microbatches
    covered = _covered(pipeline.schedule, pipeline.stages, n)
    return chosen.changed(forward_s=FORWARD_S / n, backward_s=BACKWARD_S * covered / n)


def _system(common: Experiment, name: str, seed: int) -> Experiment:
    """A system in the same pipeline: a device for each stage, and no more layers than those."""
    whole = common.changed(forward_s=FORWARD_S, backward_s=BACKWARD_S,
                           layers=common.training.layers or common.pipeline.stages)
    return whole.changed(entrants(name)[0].changes(whole), {"training.seed": seed})


@cache
def _covered(schedule: str, stages: int, microbatches: int) -> int:
    """Micro-batches of one backward instruction."""
    program = generate(resolve({"pipeline": {
        "schedule": schedule, "stages": stages, "minibatches": 2, "microbatches": microbatches},
        "training": {"task": "none"}}))
    return int(program.rows.count[program.rows.op == Op.B][0])


def trained(base: Mapping[str, Any], contender: str, seed: int) -> Trace:
    """The trace of one method and seed, trained."""
    return run(experiment(base, contender, seed))


def ended(trace: Trace) -> dict[str, float | None]:
    """How a training ended: losses and validation accuracy, all None where it diverged."""
    learnt, names = trace.header.training, ("final_loss", "validation_loss", "accuracy")
    if learnt is None or learnt.diverged_at is not None:
        return dict.fromkeys(names)
    return {name: getattr(learnt, name) for name in names}


def configuration(base: Mapping[str, Any], methods: Iterable[Method], **more: Any
                  ) -> dict[str, Any]:
    """What to write into a picture of these methods."""
    return {**base, "contenders": {m.label: m.contender for m in methods},
            "seconds_of_a_mini_batch_on_a_stage": {"forward": FORWARD_S, "backward": BACKWARD_S},
            **more}


def spread(values: Sequence[float | None], within: Range = POSITIVE) -> Spread:
    """What values over seeds spread around; none, and a mean of NaN, as soon as one is missing."""
    known = [float(v) for v in values if v is not None and math.isfinite(v)]
    if not known or len(known) < len(values):
        return Spread((), math.nan, None, None)
    return spread_of(known, within)


def paired_losses(ours: Sequence[float | None], theirs: Sequence[float | None]) -> Paired | None:
    """One method's losses over another's, by seed; None as soon as one is missing."""
    known, baseline = ([loss for loss in losses if loss is not None] for losses in (ours, theirs))
    complete = len(known) == len(ours) and len(baseline) == len(theirs)
    return paired(known, baseline, POSITIVE) if complete else None


def bounds(found: Spread) -> tuple[float, float]:
    """Where a bar or band ends: the 95 % interval, of fewer than four seeds the extremes."""
    if found.ci95 is not None:
        return found.ci95
    return (min(found.values), max(found.values)) if found.values else (math.nan, math.nan)


BARS = "95 % interval of the mean (of fewer than four seeds, least to most)"


def short_text(found: Spread, form: str) -> str:
    """A spread for a headline: mean ± deviation, or the values of fewer than three seeds."""
    short = found._replace(ci95=None).text(lambda value: f"{value:{form}}")
    return short.replace(", ", "/") or "–"


def loss_text(losses: Sequence[float | None]) -> str:
    """A loss over seeds for a table."""
    return spread(losses).text("{:.2g}".format, "{:.1g}".format)
