"""What several seeds say of a mean: sample standard deviation and confidence interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

LEVEL = 0.95


class Mean(NamedTuple):
    """Mean, sample standard deviation, and the bounds of the 95 % interval of the mean.

    `ci95` is None for a single value, which says nothing of others, and where it is not finite.
    """

    mean: float
    sd: float
    ci95: tuple[float, float] | None


def mean_of(values: Sequence[float]) -> Mean:
    """The mean of finite numbers and its interval by Student's t with n−1 degrees of freedom.

    Equal values are their own mean to the last bit, and their interval is a point.  Raises
    ValueError where there is none.  Source: Student 1908.
    """
    n = len(values)
    if not n:
        raise ValueError("a mean takes at least one value")
    if n == 1:
        return Mean(float(values[0]), 0.0, None)
    if all(value == values[0] for value in values):
        same = float(values[0])
        return Mean(same, 0.0, (same, same))
    with np.errstate(all="ignore"):  # of a run about to diverge even the sum may be too large
        mean, sd = float(np.mean(values)), float(np.std(values, ddof=1))
    half = quantile(n - 1) * sd / math.sqrt(n)
    return Mean(mean, sd, (mean - half, mean + half) if math.isfinite(mean + half) else None)


def quantile(freedom: int) -> float:
    """The value that bounds the central 95 % of Student's t distribution with `freedom` degrees of
    freedom."""
    from scipy.special import stdtrit  # scipy.stats takes half a second to import

    return float(stdtrit(freedom, 0.5 + LEVEL / 2))
