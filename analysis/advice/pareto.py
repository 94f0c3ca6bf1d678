"""The Pareto front: what nothing else beats in one respect without losing in another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.arrays import Floats


def pareto_front(costs: Floats) -> NDArray[np.bool_]:
    """Which points of `costs`, shape (points, criteria), no other point dominates.

    A point dominates another where it is at most as dear in every criterion and cheaper in one:
    points that cost the same are on the front together, or off it together.
    """
    return np.array([not dominates(costs, point).any() for point in costs], dtype=bool)


def dominates(costs: Floats, point: Floats) -> NDArray[np.bool_]:
    """Which points of `costs` (points, criteria) dominate `point` (criteria,): (points,)."""
    return np.logical_and((costs <= point).all(axis=1), (costs < point).any(axis=1))
