"""The steady state of a static program without a run: period, bubble, and what sets them.

An order with fixed costs is a (max,+) linear system: its period is the maximum cycle mean of its
event graph, and that cycle is what to speed up.
Source: Baccelli, Cohen, Olsder and Quadrat 1992, chapters 2 and 3; REFERENCE section 5.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.theory.event_graph import event_graph
from analysis.theory.howard import CriticalCycle, EventGraph, critical_cycle
from analysis.theory.pattern import Pattern, find_pattern
from sim.arrays import Floats, Ints
from sim.op import Op
from sim.order.program import Program
from sim.times.cluster import Cluster
from sim.times.costs import TICK, CostModel
from sim.times.expanded.expand import expand


@dataclass(frozen=True)
class Critical:
    """An instruction of the critical cycle, a message on its link, or an exchange after one.

    It takes `seconds`.  `minibatch` counts from the cycle's earliest, which is 0; `microbatch` is
    None where one pass covers the whole mini-batch, `to_device` for what is no message.  `forward`
    is the stage of the forward issued as one with a backward (None: it is by itself), and
    `exchange` says whether it is what updates wait for after the instruction.
    """

    stage: int
    op: Op
    minibatch: int
    microbatch: int | None
    device: int
    to_device: int | None
    seconds: float
    forward: int | None = None
    exchange: bool = False

    @property
    def kind(self) -> str:
        """What it is: an instruction, a link, or an exchange."""
        return "exchange" if self.exchange else "instruction" if self.to_device is None else "link"

    @property
    def name(self) -> str:
        """What a report calls it: `1B` on device 1, `1B&0F` of a pair, `link 1→0 (1B)`, or
        `exchange after 1B`."""
        task = f"{self.stage}{self.op.name}"
        if self.exchange:
            return f"exchange after {task}"
        if self.to_device is not None:
            return f"link {self.device}→{self.to_device} ({task})"
        return task if self.forward is None else f"{task}&{self.forward}F"


@dataclass(frozen=True, eq=False)
class SteadyState:
    """What an endless run does, period after period.

    `seconds` has shape (rows of the pattern,), `senders` and `to_device` (messages,).  `shown` says
    which rows of the program are instructions of what was asked about, and `forward` the stage of
    the forward that a pair's row does besides, −1 for none; both have shape (rows,).
    """

    pattern: Pattern
    graph: EventGraph
    cycle: CriticalCycle
    seconds: Floats
    senders: Ints
    to_device: Ints
    shown: NDArray[np.bool_]
    forward: Ints

    @property
    def period(self) -> Fraction:
        """Seconds per mini-batch, exactly."""
        return self.cycle.ratio * Fraction(TICK) / self.pattern.minibatches

    @property
    def period_s(self) -> float:
        """Seconds per mini-batch."""
        return float(self.period)

    @property
    def throughput_minibatches_per_s(self) -> float | None:
        """Mini-batches per second; None where nothing takes any time."""
        return float(1 / self.period) if self.period else None

    @property
    def bubble_fraction(self) -> float | None:
        """1 − busy / (devices · period), communication wait included."""
        program = self.pattern.program
        devices = program.shape.devices  # beside them only links
        busy = float(self.seconds[program.device[self.pattern.rows] < devices].sum())
        whole = devices * self.period_s * self.pattern.minibatches
        return 1 - busy / whole if whole else None

    @cached_property
    def critical(self) -> list[Critical]:
        """The critical cycle in the order of time."""
        edges = np.array(self.cycle.edges)
        periods = np.cumsum(self.graph.height[edges]) - self.graph.height[edges]
        nodes, size = self.graph.source[edges], len(self.pattern.rows)
        rows = self.pattern.rows[np.concatenate((np.arange(size), self.senders))[nodes]]
        to_device = np.concatenate((np.full(size, -1), self.to_device))[nodes]
        seconds = self.graph.ticks[edges] * TICK
        own = np.where(to_device < 0, np.append(self.seconds, 0.0)[np.minimum(nodes, size)],
                       seconds)
        told = (self.shown[rows] | (own > 0)).tolist()
        found = []
        for each, after, tell in zip(self._critical(rows, periods, to_device, own),
                                     (seconds - own).tolist(), told, strict=True):
            found += [each] * tell
            found += [replace(each, seconds=after, forward=None, exchange=True)] * (after > 0)
        return found

    def _critical(self, rows: Ints, periods: Ints, to_device: Ints, seconds: Floats
                  ) -> Iterator[Critical]:
        """What rows are, or their messages `to_device` (−1: none); all have shape (rows,)."""
        program = self.pattern.program
        n, (op, stage, index, count) = program.shape.microbatches, (
            column[rows] for column in program.rows)
        minibatch = program.minibatch[rows] + periods * self.pattern.minibatches
        hidden = ~self.shown[rows]  # it only sends what a pair makes
        op = np.where(hidden & (op == Op.SEND_F), Op.F,
                      np.where(hidden & (op == Op.SEND_B), Op.B, op))
        columns = (stage, op, minibatch - minibatch.min(), np.where(count < n, index % n, -1),
                   program.device[rows], to_device, seconds, self.forward[rows])
        for k, o, i, j, d, to, took, other in zip(*(c.tolist() for c in columns), strict=True):
            yield Critical(k, Op(o), i, j if j >= 0 else None, d, to if to >= 0 else None, took,
                           other if other >= 0 and to < 0 else None)

    def shares(self) -> list[tuple[str, float]]:
        """Names on the critical cycle and their share of it, largest first: what to speed up."""
        seconds: dict[str, float] = {}
        for each in self.critical:
            seconds[each.name] = seconds.get(each.name, 0.0) + each.seconds
        whole = sum(seconds.values()) or 1.0
        ranked = sorted(seconds.items(), key=lambda item: -item[1])
        return [(name, value / whole) for name, value in ranked if value]


def steady_state(program: Program, costs: CostModel, cluster: Cluster,
                 pattern: Pattern | None = None) -> SteadyState | None:
    """The steady state of `program`; None where its order does not repeat.

    Its pattern (`pattern`, where it is known already) is of the rows that engines run in its place
    (`sim.times.expanded`).  The costs' jitter and stragglers have no place in it: the caller
    refuses them.
    """
    expansion = expand(program, costs, cluster)
    shown, forward = np.ones(len(program), dtype=bool), np.full(len(program), -1)
    if expansion is not None:
        shown, forward = expansion.starting, expansion.forward_stage
        program, costs, cluster = expansion.program, expansion.costs, expansion.cluster
    if pattern is None or expansion is not None:
        pattern = find_pattern(program)
    if pattern is None:
        return None
    seconds = costs.durations(program, np.random.default_rng(0))
    graph, senders = event_graph(pattern, seconds, cluster)
    to_device = cluster.links(program)[pattern.rows[senders]] % program.devices
    return SteadyState(pattern, graph, critical_cycle(graph), seconds[pattern.rows], senders,
                       to_device, shown, forward)


def as_json(found: SteadyState) -> dict[str, Any]:
    """A steady state as plain objects, as `--json` prints it; seconds per mini-batch."""
    return {
        "period_s": found.period_s,
        "throughput_minibatches_per_s": found.throughput_minibatches_per_s,
        "bubble_fraction": found.bubble_fraction,
        "repeats_after_minibatches": found.pattern.minibatches,
        "critical_minibatches": found.cycle.height * found.pattern.minibatches,
        "critical_cycle": [{
            "name": each.name, "kind": each.kind, "stage": each.stage, "op": each.op.name,
            "forward_stage": each.forward, "minibatch": each.minibatch,
            "microbatch": each.microbatch, "device": each.device,
            "to_device": each.to_device, "seconds": each.seconds,
        } for each in found.critical],
        "speed_up": [{"name": name, "share": share} for name, share in found.shares()],
    }
