"""What stands in for the machine in virtual time: sizes, seconds of instructions, links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sim.arrays import Floats, Ints
from sim.errors import ConfigurationError, ProfileError
from sim.experiment.options import Experiment
from sim.layouts.layers import cut, layers_by_letter, layers_in
from sim.layouts.text import stages_of
from sim.numerics.tasks import Task
from sim.times.cluster import Cluster, Link, MessageTimes, Tied
from sim.times.costs import CostModel, Straggler, Trend
from sim.times.profile import Profile, read_profile
from sim.workers import Combine, ring_all_reduce_s

LINK_KEYS = {"latency_s", "bandwidth_bytes_per_s"}  # of `cluster`: one that is given wins


@dataclass(frozen=True)
class Sizes:
    """Bytes of each stage: its weights, the activations it keeps of one micro-batch, (stages,)
    each, and what of a micro-batch crosses each boundary to the next stage, (stages − 1,).

    `recomputed_bytes` are the activations that a backward makes again, and has besides while it
    runs, (stages,); None where it makes none.
    """

    weight_bytes: Floats
    activation_bytes: Floats
    boundary_bytes: Floats
    recomputed_bytes: Floats | None = None


def load_profile(experiment: Experiment) -> Profile | None:
    """The measured profile that `costs.profile` names, checked to fit, or that of a layout's
    layers; None where neither is named.

    Raises ConfigurationError.
    """
    if experiment.pipeline.layout is not None or experiment.costs.per_layer is not None:
        return laid_out_profile(experiment)
    if experiment.costs.profile is None:
        return None
    try:
        profile = read_profile(experiment.costs.profile)
    except ProfileError as error:
        raise ConfigurationError([f"costs.profile: {line}" for line in str(error).splitlines()]
                                 ) from None
    stages = experiment.pipeline.stages
    for name, have, need in (("stages", len(profile.stages), stages),
                             ("placement", len(profile.placement or ()), stages),
                             ("interpreter", len(profile.interpreter or ()), stages),
                             ("boundary_bytes", len(profile.boundary_bytes or ()), stages - 1)):
        if have != need and (name == "stages" or have):
            raise ConfigurationError([f"costs.profile: {experiment.costs.profile} has {have} "
                                      f"{name}, the pipeline needs {need}"])
    return profile


def laid_out_profile(experiment: Experiment) -> Profile:
    """What a layout makes of the costs of its layers: a profile of its stages.

    Raises ConfigurationError where nothing says what layers cost, or they do not fit.
    """
    layout, costs = experiment.pipeline.layout, experiment.costs
    if layout is None:
        raise ConfigurationError(["costs.per_layer: are costs of a layout's letters; give "
                                  "pipeline.layout"])
    key = "costs.profile" if costs.per_layer is None else "costs.per_layer"
    try:
        stages = stages_of(layout)
        if costs.per_layer is not None and costs.profile is not None:
            raise ProfileError("costs.profile has costs of layers too; give one of them")
        if costs.per_layer is not None:
            layers = layers_by_letter(stages, costs.per_layer)
        elif costs.profile is not None:
            layers = layers_in(costs.profile)
        else:
            raise ConfigurationError([
                "pipeline.layout: nothing says what its layers cost; give costs.per_layer = "
                "{ t = { forward_s = 1.0, backward_s = 2.0 }, … }, or costs.profile with a file of "
                "layers"])
        return cut(layers, [len(stage) for stage in stages])
    except ProfileError as error:
        raise ConfigurationError([f"{key}: {line}" for line in str(error).splitlines()]) from None


def stage_sizes(experiment: Experiment, profile: Profile | None, task: Task | None) -> Sizes:
    """What the stages hold and send: as configured, else as profiled, else as large as the task's
    NumPy arrays, else 0.

    Under `recompute` a stage keeps only its input, and its backward makes the activations again:
    of the task's arrays all but the input, which it has; of a profile, which does not say whether
    they hold an input too, all of them.  [choice] `cluster.activation_bytes` are what is made
    again, too; the input is as profiled, else the task's, else what crosses the boundary before
    the stage.
    """
    again = experiment.pipeline.backward == "recompute"
    pipeline, cluster = experiment.pipeline, experiment.cluster
    stages = pipeline.stages
    weights, full, boundary = (np.zeros(n) for n in (stages, stages, stages - 1))
    entry = None
    if task is not None:
        micro = experiment.training.batch_size // pipeline.microbatches
        weights = np.array([float(w.nbytes) for w in task.weights])
        sizes = [getattr(m, "sizes", (0, 0)) for m in task.models]
        boundary = np.array([8.0 * micro * s[-1] for s in sizes[:-1]])
        full = np.array([8.0 * micro * sum(s[again:]) for s in sizes])
        entry = np.array([8.0 * micro * s[0] for s in sizes])
    if profile is not None:
        weights = _measured(profile, "weight_bytes", weights)
        full = _measured(profile, "activation_bytes", full)
        boundary = np.array(profile.boundary_bytes or boundary, dtype=float)
    full = per_stage(cluster.activation_bytes, stages, full)
    boundary = per_stage(cluster.boundary_bytes, stages - 1, boundary)
    if not again:
        return Sizes(weights, full, boundary)
    if entry is None:
        entry = np.concatenate(([0.0], boundary))
    if profile is not None:
        entry = _measured(profile, "input_bytes", entry)
    return Sizes(weights, entry, boundary, full)


def _measured(profile: Profile, name: str, otherwise: Floats) -> Floats:
    values = [getattr(stage, name) for stage in profile.stages]
    return np.array([o if v is None else v for v, o in zip(values, otherwise, strict=True)])


def per_stage(value: float | Sequence[float] | None, size: int, otherwise: Floats) -> Floats:
    """A configured number, or one per stage, as an array of shape (size,); `otherwise` for None."""
    if value is None:
        return otherwise
    return np.array(np.broadcast_to(np.asarray(value, dtype=np.float64), (size,)))


def cost_model(experiment: Experiment, profile: Profile | None) -> CostModel:
    """Seconds of every instruction: the profile's where there is one, else as configured."""
    costs, stages = experiment.costs, experiment.pipeline.stages
    zero = np.zeros(stages)
    forward = per_stage(costs.forward_s, stages, zero)
    backward = per_stage(costs.backward_s, stages, zero)
    update = per_stage(costs.update_s, stages, zero)
    if profile is not None:
        forward, backward, update = (_measured(profile, name, zero)
                                     for name in ("forward_s", "backward_s", "update_s"))
    halves = _halves(experiment, profile, backward)
    both = per_stage(costs.overlapped_s, stages, zero) if costs.overlapped_s is not None else None
    again = per_stage(costs.recompute_s, stages, forward)
    if profile is not None and costs.recompute_s is None:
        again = _measured(profile, "recompute_s", forward)
    if experiment.pipeline.backward == "graph":
        again = zero
    scale = np.array(costs.microbatch_scale)
    return CostModel(forward, backward, update, again, per_micro_batch=profile is not None,
                     jitter_sigma=costs.jitter.sigma if costs.jitter else 0.0,
                     stragglers=tuple(Straggler(**w.model_dump()) for w in costs.stragglers),
                     trends=tuple(Trend(**each.model_dump()) for each in costs.trends),
                     slowdown=_slowdown(experiment), input_backward_s=halves[0],
                     weight_backward_s=halves[1], overlapped_s=both,
                     microbatch_scale=None if (scale == 1).all() else scale)


def _slowdown(experiment: Experiment) -> Floats | None:
    """How many times as long each device of all workers takes, (devices,): its own factor, times
    that of its worker; None where all are 1."""
    devices, count = experiment.shape.worker_devices, experiment.workers.count
    own = per_stage(experiment.costs.device_factor, devices, np.ones(devices))
    worker = per_stage(experiment.workers.slowdown, count, np.ones(count))
    found = np.outer(worker, own).ravel()
    return None if (found == 1).all() else found


def _halves(experiment: Experiment, profile: Profile | None, backward: Floats
            ) -> tuple[Floats | None, Floats | None]:
    """Seconds of the input and the weight half of a backward by stage: as given, else as measured;
    None where neither."""
    first, second = (_half(getattr(experiment.costs, name), profile, name, backward / 2)
                     for name in ("input_backward_s", "weight_backward_s"))
    return first, second


def _half(given: float | list[float] | None, profile: Profile | None, name: str, otherwise: Floats
          ) -> Floats | None:
    if given is not None:
        return per_stage(given, len(otherwise), otherwise)
    if profile is None or all(getattr(stage, name) is None for stage in profile.stages):
        return None
    return _measured(profile, name, otherwise)


def make_cluster(experiment: Experiment, profile: Profile | None, sizes: Sizes, combine: Combine,
                 homes: Ints | None = None) -> Cluster:
    """The links between devices and workers, and the memory of a device.

    `homes` are how many copies each stage has in a worker, shape (stages,); None: one.

    A profile's messages measured by their size stand in for what the link says of them.
    """
    options, link = experiment.cluster, link_between(experiment, profile)
    given = options.model_fields_set
    return Cluster(link, sizes.boundary_bytes, sizes.activation_bytes,
                   options.activation_limit_bytes or float("inf"),
                   _exchange_s(experiment, link, sizes, combine, homes),
                   {} if LINK_KEYS & given else _transfers(profile), sizes.recomputed_bytes,
                   options.receives, options.sends, _tied(experiment, link),
                   experiment.workers.overlap)


def link_between(experiment: Experiment, profile: Profile | None) -> Link:
    """The links between neighbouring stages: a profile's latency (seconds) and bandwidth (bytes
    per second) stand in for defaults."""
    options = experiment.cluster
    given = options.model_fields_set
    latency, bandwidth = options.latency_s, options.bandwidth_bytes_per_s
    if profile is not None and "latency_s" not in given:
        latency = profile.latency_s
    if profile is not None and "bandwidth_bytes_per_s" not in given:
        bandwidth = profile.bandwidth_bytes_per_s
    return Link(_each(latency), _each(bandwidth or float("inf")),
                options.latency == "held")


def _tied(experiment: Experiment, link: Link) -> tuple[Tied, ...]:
    """The pairs of stages that share weights, with the seconds of their exchange.

    [choice] Two devices add their gradients up in a ring, over a link as slow as the slowest
    between stages.
    """
    return tuple(Tied((tie.stages[0], tie.stages[1]),
                      float(ring_all_reduce_s(np.array(tie.size_bytes), link.slowest(), 2)))
                 for tie in experiment.cluster.tied)


def _each(value: float | Floats | list[float]) -> float | Floats:
    """A number, or those of boundaries or stages as an array."""
    return np.array(value, dtype=np.float64) if isinstance(value, list) else value


def _transfers(profile: Profile | None) -> dict[tuple[int, bool], MessageTimes]:
    """What is measured of messages, by boundary and whether they go forward."""
    found = {}
    for each in profile.transfers if profile else ():
        samples = sorted(each.samples, key=lambda sample: sample.size_bytes)
        found[each.boundary, each.direction == "forward"] = MessageTimes(
            np.array([sample.size_bytes for sample in samples]),
            np.array([sample.seconds.median for sample in samples]))
    return found


def _exchange_s(experiment: Experiment, link: Link, sizes: Sizes, combine: Combine,
                homes: Ints | None) -> Floats | None:
    """Seconds workers, or copies of a stage, take to exchange each stage; over the pipeline's link
    unless given one.

    [choice] Where boundaries have links of their own, that is the slowest of them: a ring goes at
    the pace of its slowest link.
    """
    workers = experiment.workers
    if workers.count == 1 and (homes is None or homes.max() == 1):
        return None
    latency, bandwidth = workers.sync_latency_s, workers.sync_bandwidth_bytes_per_s
    slowest = link.slowest()
    between = Link(_each(slowest.latency_s if latency is None else latency),
                   _each(slowest.bandwidth_bytes_per_s if bandwidth is None else bandwidth))
    if homes is not None and homes.max() > 1:
        return ring_all_reduce_s(sizes.weight_bytes, between, homes)
    return combine.seconds(sizes.weight_bytes, between, workers.count)
