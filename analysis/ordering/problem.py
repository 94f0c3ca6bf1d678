"""The problem of finding an order: what passes cost, what they wait for, what limits them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sim.arrays import Floats, Ints
from sim.experiment.options import Experiment


@dataclass(frozen=True)
class OrderProblem:
    """One mini-batch of `microbatches` micro-batches, on stages that live where `device` says.

    Arrays are by stage, (stages,), of boundaries (stages − 1,): seconds of a forward, of the input
    and of the weight half of a backward (which is both, one after the other, where an order does
    not split it), of an update; `occupied_s` is for how long a message keeps its link, one for each
    boundary and way, and `latency_s` how much later it is there.  In bytes, a micro-batch holds
    `held_bytes` from the start of its forward to the end of its input half, and `halved_bytes` from
    there to the end of its weight half; `base_bytes` are there all the time, (devices,).  No device
    has room for more than `limit_bytes`.  With `max_staleness` 0 each mini-batch begins after the
    updates of the one before (a flush), and the makespan of one counts; with more, forwards may
    read weights so many updates old, and the period of an endless run counts.

    `experiment` is what it was made from: it says everything else, and an order is at last judged
    by running it.  All seconds are whole ticks (`sim.times.costs.quantize`), so sums are exact.
    """

    experiment: Experiment
    device: Ints
    forward_s: Floats
    input_s: Floats
    weight_s: Floats
    update_s: Floats
    occupied_s: Floats
    latency_s: Floats
    held_bytes: Floats
    halved_bytes: Floats
    base_bytes: Floats
    microbatches: int
    limit_bytes: float = math.inf
    max_staleness: int = 0

    @property
    def stages(self) -> int:
        """How many stages there are."""
        return len(self.device)

    @property
    def devices(self) -> int:
        """How many devices there are."""
        return int(self.device.max()) + 1
