"""Which weights a real network's passes used under every mitigation, and how it learnt.

Two passes that never mix.  In the *weight* pass one thread steps the stages in program order and
every distance is measured; in the *timing* pass the runtime executes the same program on the
devices and nothing is measured but time.  The order decides the weights, so what the first says
of mini-batch i holds for mini-batch i of the second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gpu.lanes.devices import DeviceSpec, open_lanes
from gpu.runtime.assembly import Assembly, assemble
from gpu.runtime.run import run
from gpu.runtime.settings import RunSettings
from gpu.studies.curves import curve_rows, ends_s, judged, minibatches_to
from gpu.studies.staleness.methods import FRESH, Method, Refused
from gpu.studies.staleness.prediction import HORIZONS, Probe
from sim.arrays import Ints
from sim.experiment.options import Experiment
from sim.numerics.stage import Stage
from sim.numerics.training import TrainingResult, train
from sim.op import Op
from sim.order.check import execution_order
from sim.rows import Rows
from sim.weights.versions import VersionPlan

PROBED = (FRESH, "spectrain")  # trainings along which stale and predicted weights are compared


@dataclass(frozen=True)
class Study:
    """A study to run: every method with every seed, and the accuracy whose way is timed.

    `timed` says whether each method is also run for its seconds.
    """

    base: Experiment
    settings: RunSettings
    methods: Sequence[Method]
    refused: Sequence[Refused]
    seeds: Sequence[int]
    target: float
    timed: bool = True


@dataclass
class Findings:
    """What a study found, rows of a file each: weights by stage, predictions, curves, targets."""

    distances: Rows = field(default_factory=list)
    prediction: Rows = field(default_factory=list)
    curves: Rows = field(default_factory=list)
    targets: Rows = field(default_factory=list)


def investigate(study: Study, specs: Sequence[DeviceSpec],
                done: Callable[[], None] = lambda: None) -> Findings:
    """Run all methods and seeds, a seed after another so that a slow machine is slow for all.

    `done` is called after each.  Raises StageError where a stage fails.
    """
    found = Findings()
    for seed in study.seeds:
        for method in study.methods:
            _one(study, method, seed, specs, found)
            done()
    return found


def _one(study: Study, method: Method, seed: int, specs: Sequence[DeviceSpec], found: Findings
         ) -> None:
    experiment = method.experiment(study.base, seed)
    assembly, result, probe = weight_pass(experiment, study.settings, specs[0],
                                          probed=method.label in PROBED)
    keys = {"method": method.label, "seed": seed}
    found.distances += [keys | row for row in by_stage(assembly.stages, assembly.plan)]
    found.curves += [keys | row for row in curve_rows(result)]
    if probe is not None:
        found.prediction += [keys | row for row in probe.rows()]
    reached = minibatches_to(study.target, result.evaluated, result.evaluations)
    ends = timing_pass(experiment, study.settings, specs) if study.timed else None
    found.targets.append(keys | {
        "target_accuracy": study.target, "minibatches_to_target": reached,
        "seconds_to_target": None if reached is None or ends is None else float(ends[reached - 1]),
        "total_s": None if ends is None else float(ends[-1]),
        "diverged_at": result.diverged_at, **judged(result.final)})


def weight_pass(experiment: Experiment, settings: RunSettings, spec: DeviceSpec, *,
                probed: bool = False) -> tuple[Assembly, TrainingResult, Probe | None]:
    """Train in program order with all stages on one device: stages with distances, curves, probe.

    Nothing here is timed; with `probed` stale and predicted weights are compared on the way.
    """
    assembly = assemble(experiment, settings,
                        [spec.device] * experiment.shape.devices)
    probe = Probe(assembly.stages, HORIZONS) if probed else None
    result = train(execution_order(assembly.program), assembly.stages, assembly.task,
                   assembly.program, evaluate_every=experiment.training.evaluate_every,
                   watch=probe)
    return assembly, result, probe


def timing_pass(experiment: Experiment, settings: RunSettings, specs: Sequence[DeviceSpec]) -> Any:
    """Seconds to the end of each mini-batch on the devices, (mini-batches,).

    Neither distances nor evaluations take time in it.
    """
    plain = experiment.changed(distances=False)
    assembly = assemble(plain, settings, [spec.device for spec in specs])
    return ends_s(run(assembly, open_lanes(specs), strict=False, evaluate=False))


def by_stage(stages: Sequence[Stage[Any]], plan: VersionPlan) -> Iterator[dict[str, Any]]:
    """Rows of pass, stage and means: version lag in updates, RMSE, relative distance.

    The lag is that of the steady state, distances are over all passes, as in the analysis room's
    report.
    """
    reads = {"forward": (Op.F, plan.forward), "backward": (Op.B, plan.backward)}
    for name, (op, read) in reads.items():
        lag = (plan.applied - read)[:, steady(plan)].mean(axis=1)
        for stage in stages:
            rmse, relative = (float(np.mean(column)) for column in stage.measures.distances(op))
            yield {"pass": name, "stage": stage.number, "lag": float(lag[stage.number]),
                   "rmse": rmse, "relative": relative}


def steady(plan: VersionPlan) -> Ints:
    """Micro-batches (from 0) of all mini-batches but the first and last S, shape (micro-batches,).

    All of them where none is left.
    """
    shape = plan.program.shape
    micro = np.arange(shape.total)
    minibatch = micro // shape.microbatches + 1
    inner = (minibatch > shape.stages) & (minibatch <= shape.minibatches - shape.stages)
    return micro[inner] if inner.any() else micro
