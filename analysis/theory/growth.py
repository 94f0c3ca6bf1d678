"""Growth rates fitted to trajectories, and where they pass 1."""

from __future__ import annotations

import numpy as np

from sim.arrays import Floats


def fitted_growth(weights: Floats) -> Floats:
    """Growth per update of each column of `weights` (updates, curvatures), shape (curvatures,).

    A line through the logarithm of the norm over a sliding window, which averages oscillation
    away; the first third is transient.  Where numbers leave the floats, what came before counts.
    """
    window = len(weights) // 8
    with np.errstate(all="ignore"):
        squares = np.cumsum(weights * weights, axis=0)
        level = 0.5 * np.log(squares[window:] - squares[:-window])
    return np.array([_slope(column) for column in level.T])


def _slope(level: Floats) -> float:
    """exp of the slope of the later two thirds of what is finite."""
    broken = np.flatnonzero(~np.isfinite(level))
    usable = level[: broken[0]] if len(broken) else level
    late = usable[len(usable) // 3 :]
    if len(late) < 2:
        return np.inf if np.isposinf(level[-1]) or np.isnan(level[-1]) else 0.0
    return float(np.exp(np.polyfit(np.arange(len(late)), late, 1)[0]))


def first_crossing(at: Floats, rates: Floats) -> tuple[float, float] | None:
    """The neighbours of a grid `at` (rates,) between which growth `rates` (rates,) first passes 1.

    None where it never does, or the first is beyond it already.
    """
    unstable = rates > 1
    if not unstable.any() or unstable[0]:
        return None
    number = int(np.argmax(unstable))
    return float(at[number - 1]), float(at[number])


def interpolated(at: Floats, rates: Floats) -> float | None:
    """Where growth `rates` (rates,) over the grid `at` (rates,) first passes 1, between neighbours.

    On the straight line between the two; None where the grid does not bracket it.
    """
    pair = first_crossing(at, rates)
    if pair is None:
        return None
    number = int(np.argmax(rates > 1))
    share = (1 - rates[number - 1]) / (rates[number] - rates[number - 1])
    return float(pair[0] + share * (pair[1] - pair[0]))
