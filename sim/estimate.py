"""A mean with its spread and confidence interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.arrays import Floats


@dataclass(frozen=True)
class Estimate:
    """Mean, standard deviation, and the interval that holds the true mean with `confidence`.

    The interval is Student's (NaN ends for a single value).  Source: Student 1908.
    """

    mean: float
    sd: float
    low: float
    high: float
    confidence: float = 0.95

    @classmethod
    def of(cls, values: Floats, confidence: float = 0.95) -> Estimate:
        """Raises ValueError for no values, or a confidence that is not between 0 and 1."""
        from scipy.stats import t

        count = len(values)
        if not count or not 0 < confidence < 1:
            raise ValueError(f"an estimate takes values and a confidence between 0 and 1, got "
                             f"{count} values and {confidence}")
        mean = float(np.mean(values))
        if count == 1:
            return cls(mean, np.nan, np.nan, np.nan, confidence)
        sd = float(np.std(values, ddof=1))
        half = float(t.ppf((1 + confidence) / 2, count - 1)) * sd / np.sqrt(count)
        return cls(mean, sd, mean - half, mean + half, confidence)
