"""Hints on settings that change nothing, because another one makes them mean nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from sim.experiment.checks import FILE
from sim.experiment.options import Experiment
from sim.experiment.setup import generate
from sim.experiment.splitting.stages import splits
from sim.op import Op
from sim.order.program import Program

SIZELESS = ("none", "quadratic")  # tasks whose messages have no bytes
OF_TASKS = {"curvatures": ("quadratic",), "width": ("digits-mlp",), "layers": ("digits-mlp",)}
HALVES = {"input_backward_s": Op.I, "weight_backward_s": Op.W}
BUILT_IN = ("digits-mlp", "quadratic")  # whose keys are known; one of a plugin may take any


def nothing_sent(experiment: Experiment, report: Mapping[str, Any]) -> Iterator[str]:
    """A bandwidth or a limit of memory where nothing has bytes."""
    cluster, task = experiment.cluster, experiment.training.task
    if _measures(experiment) or task not in SIZELESS:
        return
    for key, sizes, what in (("bandwidth_bytes_per_s", "boundary_bytes", "messages"),
                             ("activation_limit_bytes", "activation_bytes", "activations")):
        size = getattr(cluster, sizes)
        if _given(experiment, f"cluster.{key}") and (size is None or not np.any(size)):
            value = getattr(cluster, key)
            shown = value if isinstance(value, list) else f"{value:g}"
            yield (f"cluster.{key} = {shown}: of the task {task} {what} have no bytes, so it "
                   f"changes nothing; set cluster.{sizes}")


def late_drifts(experiment: Experiment, report: Mapping[str, Any]) -> Iterator[str]:
    """A time in which a stage is slow, or a trend, that begins after the run's end."""
    end = report.get("makespan_s")
    for key in ("stragglers", "trends"):
        for number, each in enumerate(getattr(experiment.costs, key)):
            if end is not None and each.from_s >= end:
                yield (f"costs.{key}.{number}.from_s = {each.from_s:g}: the run ends after "
                       f"{end:.4g} s, so nothing is slowed")


def profiled(experiment: Experiment, report: Mapping[str, Any]) -> Iterator[str]:
    """Seconds beside a profile or costs of layers, whose own stand in for them."""
    found = _measures(experiment)
    if not found:
        return
    for key in ("forward_s", "backward_s", "update_s"):
        if _given(experiment, f"costs.{key}"):
            yield f"costs.{key}: {found} seconds, which stand in for it"


def whole_backwards(experiment: Experiment, report: Mapping[str, Any]) -> Iterator[str]:
    """Seconds of halves of a backward, or of pairs, where the schedule's order has none."""
    asked = [key for key in ("input_backward_s", "weight_backward_s", "overlapped_s")
             if _given(experiment, f"costs.{key}")]
    pipeline = experiment.pipeline
    if not asked or pipeline.schedule == FILE:
        return
    order = _order(experiment)
    for key in asked:
        op = HALVES.get(key)
        if op is not None and op not in order.present:
            yield (f"costs.{key}: {pipeline.schedule} splits no backward, so there is no "
                   f"{op.name} that takes it")
        if op is None and not len(order.pairs):
            yield f"costs.{key}: {pipeline.schedule} issues no forward and backward as one"


def without_messages(experiment: Experiment, report: Mapping[str, Any]) -> Iterator[str]:
    """How a program's own messages are received and sent, where it has none."""
    schedule = experiment.pipeline.schedule
    for key in ("receives", "sends"):
        if schedule != FILE and _given(experiment, f"cluster.{key}"):
            yield (f"cluster.{key} = {getattr(experiment.cluster, key)}: messages of {schedule} "
                   "are no instructions of their own; those of a program that is given can be")


def without_recompute(experiment: Experiment, report: Mapping[str, Any]) -> Iterator[str]:
    """Seconds of running a forward again where no forward is run again."""
    if experiment.pipeline.backward == "graph" and _given(experiment, "costs.recompute_s"):
        yield ("costs.recompute_s: no forward is run again under pipeline.backward = graph; --set "
               "backward=recompute does")


def lone_worker(experiment: Experiment, report: Mapping[str, Any]) -> Iterator[str]:
    """How workers combine, of one alone."""
    if experiment.workers.count > 1:
        return
    for key in ("sync_latency_s", "sync_bandwidth_bytes_per_s"):
        if _given(experiment, f"workers.{key}"):
            yield (f"workers.{key}: one worker alone sends nothing to others; --set "
                   "workers.count=2 makes two")
    if (experiment.workers.overlap and experiment.pipeline.schedule != FILE
            and not _order(experiment).several):
        yield ("workers.overlap: one worker alone exchanges nothing; --set workers.count=2 "
               "makes two")


def unshared(experiment: Experiment, report: Mapping[str, Any]) -> Iterator[str]:
    """How devices share a stage, where each has one of its own; exchanges of nothing."""
    tensor = experiment.tensor
    asked = [key for key in type(tensor).model_fields
             if key != "ways" and _given(experiment, f"tensor.{key}")]
    if not splits(experiment):
        yield from (f"tensor.{key}: no stage is shared by several devices; --set ways=2 makes two "
                    "share each" for key in asked)
    elif tensor.ring_bandwidth_bytes_per_s is not None and not (
            _measures(experiment) or tensor.all_reduce_bytes is not None
            or experiment.cluster.boundary_bytes is not None
            or experiment.training.task not in SIZELESS):
        yield ("tensor.ring_bandwidth_bytes_per_s: exchanges have no bytes, so it changes "
               "nothing; set tensor.all_reduce_bytes")


def other_tasks(experiment: Experiment, report: Mapping[str, Any]) -> Iterator[str]:
    """What another task's model is made of."""
    training = experiment.training
    for key, tasks in OF_TASKS.items():
        if training.task in BUILT_IN and training.task not in tasks and _given(
                experiment, f"training.{key}"):
            yield f"training.{key}: is of the task {', '.join(tasks)}; {training.task} has none"


def _order(experiment: Experiment) -> Program:
    """The order of one mini-batch a worker under the experiment's schedule."""
    return generate(experiment.changed({"pipeline": {
        "minibatches": experiment.workers.count, "last_microbatches": None}}))


def _measures(experiment: Experiment) -> str:
    """What has seconds and bytes of the stages in place of the configuration's own keys."""
    if experiment.costs.profile is not None:
        return "costs.profile has measured"
    return "" if experiment.costs.per_layer is None else "costs.per_layer has"


def _given(experiment: Experiment, key: str) -> bool:
    """Whether a dotted key is set to anything but its default."""
    section, _, name = key.partition(".")
    table = getattr(experiment, section)
    return bool(getattr(table, name) != type(table).model_fields[name].default)
