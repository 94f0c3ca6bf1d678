"""The cycle solver against every simple cycle, and where it refuses."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.theory.howard import EventGraph, critical_cycle


def graph_of(nodes, edges):
    return EventGraph.of(nodes, tuple(np.array(c, dtype=np.int64)
                                      for c in zip(*edges, strict=True)))


def best_of_all(nodes, edges):
    """The largest ratio over all simple cycles, by walking every path."""
    found = []

    def walk(start, node, seen, ticks, height):
        for source, target, t, h in edges:
            if source != node or target < start:
                continue
            if target == start:
                found.append(Fraction(ticks + t, height + h))
            elif target not in seen:
                walk(start, target, seen | {target}, ticks + t, height + h)

    for start in range(nodes):
        walk(start, start, {start}, 0, 0)
    return max(found)


@st.composite
def graphs(draw, least=0, most=20):
    """Strongly connected through a ring; heights shifted by potentials, so some are negative."""
    nodes = draw(st.integers(1, 6))
    more = draw(st.lists(st.tuples(*[st.integers(0, nodes - 1)] * 2), max_size=8))
    shift = draw(st.lists(st.integers(-3, 3), min_size=nodes, max_size=nodes))
    pairs = [(v, (v + 1) % nodes) for v in range(nodes)] + more
    ticks, tokens = st.integers(least, most), st.integers(1, 3)
    return nodes, [(u, v, draw(ticks), draw(tokens) + shift[v] - shift[u]) for u, v in pairs]


@given(graphs())
def test_ratio_is_the_largest_of_all_cycles(case):
    nodes, edges = case
    found = critical_cycle(graph_of(nodes, edges))
    assert found.ratio == best_of_all(nodes, edges)


@given(graphs(2**55, 2**58))
def test_numbers_beyond_64_bits_are_exact_too(case):
    nodes, edges = case
    assert critical_cycle(graph_of(nodes, edges)).ratio == best_of_all(nodes, edges)


@given(graphs())
def test_the_cycle_is_one_and_has_the_ratio(case):
    graph = graph_of(*case)
    found = critical_cycle(graph)
    edges = np.array(found.edges)
    assert np.array_equal(graph.target[edges], np.roll(graph.source[edges], -1))
    assert len(np.unique(graph.source[edges])) == len(edges)
    assert found.height == graph.height[edges].sum()
    assert found.ratio == Fraction(int(graph.ticks[edges].sum()), found.height)


@pytest.mark.parametrize(("nodes", "edges", "said"), [
    (2, [(0, 1, 5, 0), (1, 0, 5, 0)], "cannot be executed"),
    (2, [(0, 0, 5, 1), (0, 1, 5, 0)], None),
    (2, [(0, 0, 1, 1), (1, 1, 5, 1)], "no common period"),
    (2, [(0, 1, 5, 1)], "without a predecessor")])
def test_what_has_no_period_is_refused(nodes, edges, said):
    if said is None:
        assert critical_cycle(graph_of(nodes, edges)).ratio == 5
        return
    with pytest.raises(ValueError, match=said):
        critical_cycle(graph_of(nodes, edges))
