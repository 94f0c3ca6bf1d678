"""The maximum cycle ratio of a graph by Howard's policy iteration, in whole numbers.

Weights are ticks and heights tokens, so every comparison is exact and no tolerance decides.
Source: Cochet-Terrasson, Cohen, Gaubert, McGettrick and Quadrat 1998 (Howard's algorithm in
(max,+)); Dasdan 2004 for its use on cycle ratios.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import breadth_first_order

from sim.arrays import Ints
from sim.errors import UnsettledError

SAFE = 2**62
MOST_ROUNDS = 10_000  # each makes some event later: hundreds of times what any pipeline took


@dataclass(frozen=True, eq=False)
class EventGraph:
    """Which event waits for which: x[target](q) ≥ x[source](q − height) + ticks.

    Arrays have shape (edges,), sorted by `target`; `nodes` is the number of events.
    """

    nodes: int
    source: Ints
    target: Ints
    ticks: Ints
    height: Ints

    @classmethod
    def of(cls, nodes: int, *edges: tuple[Ints, Ints, Ints, Ints]) -> EventGraph:
        """The graph of several groups of edges, each of arrays (source, target, ticks, height)."""
        columns = [np.concatenate(column).astype(np.int64) for column in zip(*edges, strict=True)]
        order = np.lexsort((columns[0], columns[1]))
        return cls(nodes, *(column[order] for column in columns))


@dataclass(frozen=True)
class CriticalCycle:
    """The cycle with the largest ticks per token, as edge numbers in the order of time.

    `ratio` is that quotient, `height` the cycle's tokens.
    """

    ratio: Fraction
    height: int
    edges: tuple[int, ...]


class ApartError(ValueError):
    """Events that never wait for one another: each part has a period of its own."""


def critical_cycle(graph: EventGraph) -> CriticalCycle:
    """The critical cycle of a graph by policy iteration.

    Each node names the edge it waits for; they are improved until no other edge would be later.
    Raises ValueError where the graph is not strongly connected or a cycle needs no token, and
    UnsettledError where there is no end of improving.
    """
    solver = _Howard(graph)
    for _ in range(MOST_ROUNDS):
        root, ratio = solver.best_cycle()
        solver.lead_to(root)
        if not solver.improve(root, ratio):
            return solver.cycle(root, ratio)
    raise UnsettledError(f"the critical cycle of {graph.nodes} events was not found in "
                         f"{MOST_ROUNDS} rounds of policy iteration")


class _Howard:
    """`policy[v]` is the edge node v waits for; following them backwards ends in a cycle."""

    def __init__(self, graph: EventGraph) -> None:
        self.graph, n = graph, graph.nodes
        self.starts = np.searchsorted(graph.target, np.arange(n + 1))
        if (np.diff(self.starts) == 0).any():
            raise ValueError("every event waits for one: an event without a predecessor")
        self.starts = self.starts[:-1]
        heaviest = np.maximum.reduceat(graph.ticks, self.starts)
        self.policy = np.empty(n, dtype=np.int64)
        self._choose(graph.ticks == heaviest[graph.target])
        # Python's integers where a sum along a cycle might not fit into 64 bits
        self.kind: Any = np.int64 if graph.ticks.astype(np.float64).sum() < SAFE else object
        self.doublings = max(1, int(n - 1).bit_length())
        self.key = graph.target * n + graph.source
        ones = np.ones(len(graph.source), dtype=np.int8)
        self.links = coo_matrix((ones, (graph.source, graph.target)), shape=(n, n)).tocsr()

    def _choose(self, edges: Any) -> None:
        chosen = np.flatnonzero(edges)
        self.policy[self.graph.target[chosen]] = chosen

    def best_cycle(self) -> tuple[int, Fraction]:
        """The policy's cycle of largest ratio: its lowest node, and the ratio."""
        before = self.graph.source[self.policy]
        least, jump = np.arange(self.graph.nodes), before
        for _ in range(self.doublings):
            least, jump = np.minimum(least, least[jump]), jump[jump]
        self.cycle_of = least[jump]
        on_cycle = np.unique(jump)
        roots, group = np.unique(least[on_cycle], return_inverse=True)
        ticks, height = (np.zeros(len(roots), dtype=kind) for kind in (self.kind, np.int64))
        np.add.at(ticks, group, self.graph.ticks[self.policy[on_cycle]].astype(self.kind))
        np.add.at(height, group, self.graph.height[self.policy[on_cycle]])
        if (height <= 0).any():
            raise ValueError("a cycle of events without a token: the order cannot be executed")
        ratios = [Fraction(*pair) for pair in zip(ticks.tolist(), height.tolist(), strict=True)]
        best = max(range(len(ratios)), key=ratios.__getitem__)
        return int(roots[best]), ratios[best]

    def lead_to(self, root: int) -> None:
        """Nodes whose policy ends in another cycle take the shortest way from this one."""
        astray = np.flatnonzero(self.cycle_of != root)
        if not len(astray):
            return
        _, before = breadth_first_order(self.links, root)
        if (before[astray] < 0).any():
            raise ApartError("events that do not wait for one another have no common period")
        wanted = astray * self.graph.nodes + before[astray]
        self.policy[astray] = np.searchsorted(self.key, wanted)

    def improve(self, root: int, ratio: Fraction) -> bool:
        """Wait for a later edge wherever there is one; False where there is none."""
        reduced = self._reduced(ratio)
        value, jump = reduced[self.policy], self.graph.source[self.policy]
        value[root], jump[root] = 0, root
        for _ in range(self.doublings):
            value, jump = value + value[jump], jump[jump]
        gain = value[self.graph.source] + reduced
        latest = np.maximum.reduceat(gain, self.starts)
        later = latest > value
        self._choose((gain == latest[self.graph.target]) & later[self.graph.target])
        return bool(later.any())

    def _reduced(self, ratio: Fraction) -> Any:
        """ticks − ratio·height times the ratio's denominator, in Python's integers if need be."""
        p, q = ratio.numerator, ratio.denominator
        largest = int(self.graph.ticks.max()) * q + p * int(np.abs(self.graph.height).max())
        kind = np.int64 if largest * self.graph.nodes < SAFE else object
        return self.graph.ticks.astype(kind) * q - self.graph.height.astype(kind) * p

    def cycle(self, root: int, ratio: Fraction) -> CriticalCycle:
        edges: list[int] = []
        node = root
        while not edges or node != root:
            edges.append(int(self.policy[node]))
            node = int(self.graph.source[edges[-1]])
        return CriticalCycle(ratio, int(self.graph.height[edges].sum()), tuple(edges[::-1]))
