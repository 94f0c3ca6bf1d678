"""The steady state of a static program without a run: period, bubble, and what sets them.

An order with fixed costs is a (max,+) linear system.  Events are the starts of a pattern's
instructions and of its messages on their links; a device does one instruction at a time in its
order, a link one message at a time in the order they are sent, and a receiver waits for its
message.  The period is the maximum cycle mean of that graph, the cycle what to speed up.
Source: Baccelli, Cohen, Olsder and Quadrat 1992, chapters 2 and 3; REFERENCE section 5.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from analysis.howard import CriticalCycle, EventGraph, critical_cycle
from analysis.pattern import Pattern, find_pattern
from sim.cluster import Cluster
from sim.costs import TICK, CostModel, Floats
from sim.instruction import Ints, Op
from sim.program import Program


@dataclass(frozen=True)
class Critical:
    """An instruction, or a message on its link, of the critical cycle.

    `minibatch` counts from the cycle's earliest; `microbatch` is None where one pass covers the
    whole mini-batch, `to_device` for an instruction.
    """

    stage: int
    op: Op
    minibatch: int
    microbatch: int | None
    device: int
    to_device: int | None
    seconds: float

    @property
    def name(self) -> str:
        """`1B` on device 1, or `link 1→0 (1B)`."""
        task = f"{self.stage}{self.op.name}"
        return task if self.to_device is None else f"link {self.device}→{self.to_device} ({task})"


@dataclass(frozen=True, eq=False)
class SteadyState:
    """What an endless run does; `seconds` has shape (rows of the pattern,)."""

    pattern: Pattern
    graph: EventGraph
    cycle: CriticalCycle
    seconds: Floats
    senders: Ints
    to_device: Ints

    @property
    def period(self) -> Fraction:
        """Seconds per mini-batch, exactly."""
        return self.cycle.ratio * Fraction(TICK) / self.pattern.minibatches

    @property
    def period_s(self) -> float:
        return float(self.period)

    @property
    def throughput_minibatches_per_s(self) -> float | None:
        """None where nothing takes any time."""
        return float(1 / self.period) if self.period else None

    @property
    def bubble_fraction(self) -> float | None:
        """1 − busy / (devices · period), communication wait included."""
        whole = self.pattern.program.devices * self.period_s * self.pattern.minibatches
        return 1 - float(self.seconds.sum()) / whole if whole else None

    @cached_property
    def critical(self) -> list[Critical]:
        """The critical cycle in the order of time."""
        edges = np.array(self.cycle.edges)
        periods = np.cumsum(self.graph.height[edges]) - self.graph.height[edges]
        nodes, size = self.graph.source[edges], len(self.pattern.rows)
        rows = self.pattern.rows[np.concatenate((np.arange(size), self.senders))[nodes]]
        to_device = np.concatenate((np.full(size, -1), self.to_device))[nodes]
        program = self.pattern.program
        minibatch = program.minibatch[rows] + periods * self.pattern.minibatches
        seconds = self.graph.ticks[edges] * TICK
        n, (op, stage, index, count) = program.shape.microbatches, program.rows
        micro = np.where(count[rows] < n, index[rows] % n, -1)
        columns = (stage[rows], op[rows], minibatch - minibatch.min(), micro,
                   program.device[rows], to_device, seconds)
        return [Critical(k, Op(o), i, j if j >= 0 else None, d, to if to >= 0 else None, s)
                for k, o, i, j, d, to, s in zip(*(c.tolist() for c in columns), strict=True)]

    def shares(self) -> list[tuple[str, float]]:
        """Names on the critical cycle and their share of it, largest first: what to speed up."""
        seconds: Counter[str] = Counter()
        for each in self.critical:
            seconds[each.name] += each.seconds  # type: ignore[assignment]
        whole = sum(seconds.values()) or 1.0
        return [(name, value / whole) for name, value in seconds.most_common() if value]


def steady_state(program: Program, costs: CostModel, cluster: Cluster) -> SteadyState | None:
    """The steady state of `program`; None where its order does not repeat.

    The costs' jitter and stragglers have no place in it: the caller refuses them.
    """
    pattern = find_pattern(program)
    if pattern is None:
        return None
    seconds = costs.durations(program, np.random.default_rng(0))
    graph, senders = event_graph(pattern, seconds, cluster)
    to_device = cluster.links(program)[pattern.rows[senders]] % program.devices
    return SteadyState(pattern, graph, critical_cycle(graph), seconds[pattern.rows], senders,
                       to_device)


def event_graph(pattern: Pattern, seconds: Floats, cluster: Cluster) -> tuple[EventGraph, Ints]:
    """Nodes: the pattern's rows, then the messages of those that send (second result: which).

    Each edge carries the time of its source, so a cycle's ticks are those of its nodes.
    """
    program, rows = pattern.program, pattern.rows
    ticks, transfer = (np.rint(s / TICK).astype(np.int64)
                       for s in (seconds, cluster.transfers(program)))
    here = np.arange(len(rows))
    senders = np.flatnonzero(cluster.sends(program)[rows])
    message = np.full(len(rows), -1)
    message[senders] = len(rows) + np.arange(len(senders))
    source = program.arrives_from[rows]
    receivers = np.flatnonzero(source >= 0)

    def edges(before: Ints, after: Ints, through: bool) -> tuple[Ints, Ints, Ints, Ints]:
        node, periods = pattern.locate(before)
        time = transfer if through else ticks
        return message[node] if through else node, after, time[before], -periods

    sent_before = _previous_on_link(program, cluster)[rows[senders]]
    return EventGraph.of(
        len(rows) + len(senders), edges(rows - 1, here, False),
        edges(rows[senders], message[senders], False),
        edges(sent_before, message[senders], True),
        edges(source[receivers], receivers, True)), senders


def _previous_on_link(program: Program, cluster: Cluster) -> Ints:
    """For each sending row the row whose message its link carries before; −1 for none."""
    rows = np.flatnonzero(cluster.sends(program))
    link = cluster.links(program)[rows]
    order = np.argsort(link, kind="stable")
    before = np.full(len(program), -1)
    same = link[order][1:] == link[order][:-1]
    before[rows[order][1:][same]] = rows[order][:-1][same]
    return before


def as_json(found: SteadyState) -> dict[str, Any]:
    """Plain objects for machines; seconds per mini-batch."""
    return {
        "period_s": found.period_s,
        "throughput_minibatches_per_s": found.throughput_minibatches_per_s,
        "bubble_fraction": found.bubble_fraction,
        "repeats_after_minibatches": found.pattern.minibatches,
        "critical_minibatches": found.cycle.height * found.pattern.minibatches,
        "critical_cycle": [{
            "name": each.name, "kind": "instruction" if each.to_device is None else "link",
            "stage": each.stage, "op": each.op.name, "minibatch": each.minibatch,
            "microbatch": each.microbatch, "device": each.device,
            "to_device": each.to_device, "seconds": each.seconds,
        } for each in found.critical],
        "speed_up": [{"name": name, "share": share} for name, share in found.shares()],
    }
