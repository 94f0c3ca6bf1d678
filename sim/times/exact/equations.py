"""A static program with its costs as a (max,+) linear system: what each start is a maximum of.

    start(x)   = max(end of the instruction before x in its stream, arrival of what x waits for)
    leaving(y) = max(end of y, leaving of the message before on y's link) + transfer(y)
    arrival(y) = leaving(y) + latency(y)

One device sends on a link, in its own order, so first come first served is the order of its stream.
Source: Baccelli, Cohen, Olsder and Quadrat 1992, chapter 2; REFERENCE section 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sim.arrays import Floats, Ints
from sim.kernels.pairs import NUMPY, Kernels
from sim.order.program import Program
from sim.times.cluster import Cluster
from sim.times.costs import CostModel, Straggler, Trend
from sim.times.exact.gates import GateTable


@dataclass(frozen=True)
class MaxPlusSystem:
    """A program with its costs: all that sets its times.

    Columns by row, shape (rows,): `seconds` it takes, `target` the row of another device that waits
    for its message, `link` the number of the link that takes (−1: none), `transfer_s` the seconds
    it holds that and `latency_s` those from then to its arrival (shape (0,): none of any).  By
    link, shape (links,): `receiver`, the device at its end.  Windows in which a
    stage is slowed, and trends after them: `window_stage`, shape (windows,), and `window_s`, shape
    (windows, 4), as from and to in seconds, factor, and 1 for a trend or 0.  `gates`: how workers
    wait for each other.
    """

    program: Program
    seconds: Floats
    target: Ints
    link: Ints
    transfer_s: Floats
    latency_s: Floats
    receiver: Ints
    window_stage: Ints
    window_s: Floats
    gates: GateTable

    @cached_property
    def source(self) -> Ints:
        """The row of another device whose message each row waits for, shape (rows,); −1: none."""
        return self.program.messages.sources()

    @classmethod
    def of(cls, program: Program, costs: CostModel, cluster: Cluster, rng: np.random.Generator,
           kernels: Kernels = NUMPY) -> MaxPlusSystem:
        """The system of a program under given costs on a given machine.

        Seconds are drawn from `rng` where they are jittered.
        """
        messages = program.messages
        slow: list[Straggler | Trend] = [*costs.stragglers, *costs.trends]
        windows = [(each.from_s, each.to_s, each.factor, isinstance(each, Trend))
                   for each in slow]
        return cls(program, costs.durations(program, rng, kernels), messages.target,
                   messages.link, cluster.transfers(program, kernels),
                   cluster.latencies(program, kernels),
                   messages.links % program.devices,
                   np.array([each.stage for each in slow], dtype=np.int64),
                   np.array(windows, dtype=np.float64).reshape(-1, 4),
                   GateTable.of(program, cluster))
