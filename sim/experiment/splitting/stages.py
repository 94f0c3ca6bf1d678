"""What the machine takes where several devices share each stage, as the table `tensor` says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sim.arrays import Floats, Ints
from sim.errors import ConfigurationError
from sim.experiment.machine import Sizes, link_between, per_stage
from sim.experiment.options import Experiment
from sim.layouts.text import stages_of
from sim.order.program import Program
from sim.tensor.exchanges import PER_LAYER, Exchanges
from sim.tensor.stages import PLAIN_SHARE, Splitting, transformer_share
from sim.times.cluster import Link
from sim.times.costs import CostModel
from sim.times.profile import Profile

LAYERS = "tm"  # of a layout: letters whose layers are split in pairs and exchange


def splits(experiment: Experiment) -> bool:
    """Whether some stage of an experiment is shared by several devices."""
    return bool((ways_of(experiment) > 1).any())


def ways_of(experiment: Experiment) -> Ints:
    """How many devices share each stage, (stages,)."""
    ways: Ints = np.broadcast_to(np.asarray(experiment.tensor.ways, dtype=np.int64),
                                 (experiment.pipeline.stages,))
    return ways


def splitting_of(experiment: Experiment, profile: Profile | None) -> Splitting:
    """How an experiment's stages are shared: the ring, and what share of activations is split."""
    tensor, sizes = experiment.tensor, experiment.tensor.transformer
    between = link_between(experiment, profile).slowest()
    latency, bandwidth = tensor.ring_latency_s, tensor.ring_bandwidth_bytes_per_s
    ring = Link(between.latency_s if latency is None else latency,
                between.bandwidth_bytes_per_s if bandwidth is None else bandwidth)
    share = PLAIN_SHARE if tensor.split_share is None else tensor.split_share
    if sizes is not None:
        share = transformer_share(sizes.heads, sizes.sequence, sizes.hidden)
    return Splitting(ring, share, tensor.sequence_parallel)


def exchanges_of(experiment: Experiment, profile: Profile | None, boundary_bytes: Floats
                 ) -> Exchanges:
    """The all-reduces of each stage of an experiment, for a micro-batch.

    `boundary_bytes`, (stages − 1,), are the bytes each stage sends to the next.  What is given wins
    over a profile's; without either, two for each transformer layer of a layout, else two a stage,
    of what the stage sends on.
    """
    tensor, stages = experiment.tensor, experiment.pipeline.stages
    known = Exchanges.measured(profile.stages) if profile is not None else None
    forward, backward = (None, None) if known is None else (known.forward, known.backward)
    layers = np.ones(stages)
    if experiment.pipeline.layout is not None:
        layers = np.array([sum(letter in LAYERS for letter in stage)
                           for stage in stages_of(experiment.pipeline.layout)], dtype=float)
    usual = PER_LAYER * layers
    forward = per_stage(tensor.forward_all_reduces, stages, usual if forward is None else forward)
    backward = per_stage(tensor.backward_all_reduces, stages,
                         backward if backward is not None else forward)
    if known is not None and tensor.all_reduce_bytes is None:
        return Exchanges(forward, backward, *(
            now * np.divide(size, number, out=np.zeros_like(size), where=number > 0)
            for now, size, number in ((forward, known.forward_bytes, known.forward),
                                      (backward, known.backward_bytes, known.backward))))
    sent = np.append(boundary_bytes, boundary_bytes[-1:]) if stages > 1 else np.zeros(1)
    each = per_stage(tensor.all_reduce_bytes, stages, sent)
    return Exchanges(forward, backward, forward * each, backward * each)


def shared_stages(experiment: Experiment, profile: Profile | None, costs: CostModel, sizes: Sizes,
                  program: Program) -> tuple[CostModel, Sizes]:
    """Costs and sizes of stages, given as of one device each, on every device that shares one.

    Each device of the program stands for as many real ones as share its stages.
    Raises ConfigurationError where stages of one device are not shared by equally many.
    """
    ways = ways_of(experiment)
    copies = program.copies
    for device in range(program.devices):
        here = np.unique(ways[copies.stage[copies.device == device]])
        if len(here) > 1:
            raise ConfigurationError([
                f"tensor.ways: stages on one device are shared by equally many, and device "
                f"{device} has some of {here[0]} and of {here[-1]}; give one number"])
    how = splitting_of(experiment, profile)
    exchanges = exchanges_of(experiment, profile, sizes.boundary_bytes)
    again = experiment.pipeline.backward == "recompute"
    return _costs(costs, ways, exchanges.seconds(ways, how.ring), again), _sizes(sizes, ways, how)


def _costs(costs: CostModel, ways: Ints, exchanged: tuple[Floats, Floats], again: bool
           ) -> CostModel:
    """Seconds on every device that shares a stage.

    As `sim.tensor.stages.split_stage`; a forward and a backward issued as one pair have the
    exchanges of both.
    """
    forward, backward = exchanged
    half, both = costs.backward_s / 2, costs.overlapped_s
    first, second = (half if each is None else each
                     for each in (costs.input_backward_s, costs.weight_backward_s))
    return replace(
        costs, forward_s=costs.forward_s / ways + forward,
        backward_s=costs.backward_s / ways + backward, update_s=costs.update_s / ways,
        recompute_s=costs.recompute_s / ways + forward * again,
        input_backward_s=first / ways + backward, weight_backward_s=second / ways,
        overlapped_s=None if both is None else both / ways + forward + backward)


def _sizes(sizes: Sizes, ways: Ints, how: Splitting) -> Sizes:
    """Bytes on every device that shares a stage; under recompute what is kept is its input."""
    again, kept = sizes.recomputed_bytes, how.kept(ways)
    return Sizes(sizes.weight_bytes / ways,
                 sizes.activation_bytes * (kept if again is None else how.entering(ways)),
                 sizes.boundary_bytes * how.sent(ways), None if again is None else again * kept)
