"""Cuts for devices of unlike pace: equal to trying all, and what crosses links when layers move."""

from itertools import combinations, pairwise
from random import Random

import numpy as np
import pytest

from analysis.drifting.cutting import best_cut, crossing


def every_cut(layers, stages):
    for ends in combinations(range(1, layers), stages - 1):
        yield tuple(b - a for a, b in pairwise((0, *ends, layers)))


def slowest(cut, seconds, pace):
    ends = np.cumsum((0, *cut))
    return max(factor * seconds[a:b].sum() for factor, (a, b) in zip(pace, pairwise(ends),
                                                                     strict=True))


@pytest.mark.parametrize("seed", range(60))
def test_cuts_are_those_of_brute_force(seed):
    r = Random(seed)
    stages, layers = r.randint(1, 4), r.randint(4, 9)
    seconds = np.array([r.choice([1.0, 2.0, 0.5]) for _ in range(layers)])
    pace = np.array([r.choice([1.0, 2.0, 0.5]) for _ in range(stages)])
    moves = np.array([float(r.randint(1, 9)) for _ in range(layers)])
    narrow = r.choice([None, sorted(r.sample(range(layers - 1), r.randint(0, layers - 1)))])
    every = list(every_cut(layers, stages))
    now = r.choice(every)
    cuts = [cut for cut in every if narrow is None or set(np.cumsum(cut)[:-1] - 1) <= set(narrow)]
    found = best_cut(seconds, pace, moves, now, narrow)
    if not cuts:
        assert found == now
        return
    least = min(slowest(cut, seconds, pace) for cut in cuts)
    assert slowest(found, seconds, pace) == least
    home = np.repeat(range(stages), now)

    def moved(cut):
        return moves[np.repeat(range(stages), cut) != home].sum()

    assert moved(found) == min(moved(cut) for cut in cuts if slowest(cut, seconds, pace) == least)


def test_a_cut_that_is_as_good_as_any_stays():
    assert best_cut(np.ones(9), np.ones(3), np.zeros(9), (3, 3, 3)) == (3, 3, 3)
    assert best_cut(np.array([1.0, 1, 1, 1, 9]), np.ones(3), np.zeros(5), (3, 1, 1)) == (3, 1, 1)


def test_layers_cross_every_boundary_on_their_way():
    moves = np.array([1.0, 10, 100, 1000])
    assert crossing((2, 1, 1), (1, 1, 2), moves).tolist() == [10, 100]
    assert crossing((1, 1, 2), (2, 1, 1), moves).tolist() == [10, 100]
    assert crossing((1, 1, 2), (1, 2, 1), moves).tolist() == [0, 100]
    assert crossing((1, 2, 1), (1, 2, 1), moves).tolist() == [0, 0]
    assert crossing((1, 1, 2), (2, 1, 1), moves[::-1]).tolist() == [100, 10]
