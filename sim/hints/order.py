"""Hints on what runs after what: too few micro-batches or mini-batches, nothing to mitigate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import log
from typing import Any

from sim.experiment.checks import FILE
from sim.experiment.making import make_mitigation
from sim.experiment.options import Experiment
from sim.experiment.setup import generate, rows_of, version_plan
from sim.hints.trial import MOST, bubble
from sim.mitigations import Late
from sim.weights.delays import update_delays
from sim.wording import plural

FULL = 4  # micro-batches for each device: GPipe's own advice for a bubble that hardly counts


def few_microbatches(experiment: Experiment, report: Mapping[str, Any]) -> Iterator[str]:
    """Fewer micro-batches than devices where every mini-batch is waited for.

    A trial of one mini-batch says what more of them would give; without a better one nothing is
    said.  Source: Huang et al. 2019 (GPipe), section 2.3: hardly a bubble at 4 micro-batches a
    device.
    """
    pipeline, now = experiment.pipeline, report.get("bubble_fraction")
    devices = experiment.shape.worker_devices
    flushed = report.get("staleness", {}).get("max") == 0
    if now is None or not flushed or pipeline.microbatches >= devices:
        return
    for count in _more(experiment, devices):
        better = bubble(experiment, microbatches=count)
        if better is not None and better < now:
            yield (f"pipeline.microbatches = {pipeline.microbatches}: {pipeline.schedule} waits "
                   f"for every mini-batch, so fewer micro-batches than the {devices} devices leave "
                   f"a bubble of {100 * now:.0f} %; --set microbatches={count} makes it about "
                   f"{100 * better:.0f} % (seconds are those of one micro-batch)")
            return


def _more(experiment: Experiment, devices: int) -> list[int]:
    """Numbers of micro-batches worth a trial, the nearest to `FULL` for each device first."""
    aim = FULL * devices
    size = experiment.training.batch_size
    fitting = [n for n in range(devices, 2 * aim + 1) if size % n == 0]
    return [*sorted(fitting, key=lambda n: abs(log(n / aim)))[:1], aim]


def unsteady(experiment: Experiment, report: Mapping[str, Any]) -> Iterator[str]:
    """Too few mini-batches for a steady state.  Source: DOORS, Definitions."""
    shape = experiment.shape
    if experiment.pipeline.schedule == FILE:  # as long as the file says
        return
    need = 2 * (shape.stages + 1) * shape.workers  # two of every worker: theirs may end at once
    rates = "steady_throughput_minibatches_per_s"
    if report.get(rates, 0) is None and shape.minibatches < need:
        yield (f"pipeline.minibatches = {shape.minibatches}: {plural(shape.stages, 'stage')} "
               "fill and empty meanwhile, so there is no steady rate, and means are of the whole "
               f"run; there is one from --set minibatches={need} on")


def idle_mitigation(experiment: Experiment, report: Mapping[str, Any]) -> Iterator[str]:
    """A mitigation where no weights are stale, so that it changes none of them."""
    mitigation = make_mitigation(experiment.pipeline.mitigation)
    stages = plural(experiment.pipeline.stages, "stage")
    if mitigation.name == "none" or report.get("staleness", {}).get("max") != 0:
        return
    if mitigation.treats_gradient or (mitigation.predicts and mitigation.steps_ahead(0, 0)):
        return
    yield (f"pipeline.mitigation = {mitigation.name}: under {experiment.pipeline.schedule} with "
           f"{stages} no pass reads stale weights, so it does what none does; round-robin and nf1b "
           "of several stages are stale")


def never_late(experiment: Experiment, report: Mapping[str, Any]) -> Iterator[str]:
    """A mitigation that slows updates that come too late, where none does in a fixed order.

    It goes by the delays of the order itself, of programs that are soon made.
    """
    pipeline, mitigation = experiment.pipeline, make_mitigation(experiment.pipeline.mitigation)
    fixed = pipeline.dispatch == "static" and pipeline.schedule != FILE
    if not mitigation.adapts_rate or not fixed or not report.get("staleness", {}).get("max"):
        return
    if rows_of(experiment) > MOST or experiment.workers.count > 1:
        return
    plan = version_plan(generate(experiment), mitigation, pipeline.schedule)
    stages = experiment.shape.stages
    if all(mitigation.step_rate(Late(1.0, delay, stages - k)) == 1.0
           for k in range(stages) for delay in set(update_delays(plan, k).tolist())):
        yield (f"pipeline.mitigation = {mitigation.name}: in the fixed order of "
               f"{pipeline.schedule} no update comes too late for it, so it slows none; "
               "--set dispatch=greedy with jitter or stragglers lets stages run ahead, and a "
               "smaller concurrency calls more updates late")
