"""What several seeds say of a quantity, and of the difference between two methods.

Under three seeds the values themselves, from three on mean and standard deviation, from four on a
95 % interval that never leaves the quantity's range.  Methods that share seeds share data and first
weights, so they are compared seed by seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

LEVEL = 0.95
ENOUGH, FEWEST = 3, 4  # values of which a deviation and an interval are given
LARGEST_LOG = 700.0  # of what a float can hold
ROUNDING = 1e-9  # of the values: differences that vary by less are of the arithmetic alone
SAID = ("one or two values as they are, from three on mean ± one standard deviation, from four on "
        "[95 % interval of the mean]")


class Range(NamedTuple):
    """Where a quantity can be: from `low` to `high`, no end either way or none above."""

    low: float = -math.inf
    high: float = math.inf

    def holds(self, values: Sequence[float]) -> bool:
        """Whether all the values lie in it, its ends included."""
        return all(self.low <= value <= self.high for value in values)

    def interval(self, mean: float, half: float) -> tuple[float, float]:
        """The interval around a mean whose half width would be `half` if there were no ends.

        It is made on the scale on which the quantity has no end (the logarithm above `low`, the
        logit between two ends) and brought back, by the delta method, so it holds the mean and lies
        in the range.
        """
        if math.isinf(self.low):
            return mean - half, mean + half
        below, above = mean - self.low, self.high - mean
        if below <= 0 or above <= 0:  # not equal, but by less than rounding
            return mean, mean
        if math.isinf(above):
            factor = math.exp(half / below)
            return self.low + below / factor, self.low + below * factor
        factor, width = math.exp(half / below + half / above), below + above
        return (self.low + width * below / (below + above * factor),
                self.low + width * below * factor / (above + below * factor))


ANY = Range()
POSITIVE = Range(0.0)  # losses, seconds, epochs, bytes, distances
SHARE = Range(0.0, 1.0)  # accuracies, bubbles
CHANGE = Range(-1.0, 1.0)  # the difference of two shares


class Spread(NamedTuple):
    """A quantity over seeds: `values`, their mean, sample standard deviation, 95 % interval.

    `sd` is None of fewer than three values.  `ci95`, the interval of the mean, is None of fewer
    than four and where it is not finite.
    """

    values: tuple[float, ...]
    mean: float
    sd: float | None
    ci95: tuple[float, float] | None

    def text(self, form: Callable[[float], str], sd: Callable[[float], str] | None = None,
             bound: Callable[[float], str] | None = None, between: str = " ") -> str:
        """`mean ± sd [low, high]`, or the values themselves where they are fewer than three.

        Numbers are written by `form`, the deviation and the bounds by `sd` and `bound` where these
        are given; the interval comes after `between`.
        """
        if self.sd is None:
            return ", ".join(map(form, self.values))
        text = f"{form(self.mean)} ± {(sd or form)(self.sd)}"
        if self.ci95 is None:
            return text
        return f"{text}{between}[{', '.join(map(bound or form, self.ci95))}]"


def spread_of(values: Sequence[float], within: Range = ANY) -> Spread:
    """What the values of one quantity spread around, an interval inside the range `within`.

    The interval is Student's t with n−1 degrees of freedom, on the scale on which the quantity has
    no end [choice: by the delta method, so that it is of the mean, and a value at an end of the
    range, an accuracy of 1 or a loss of 0, is no special case].  Equal values are their own mean to
    the last bit, and their interval is a point.  Values outside the range show that it is not the
    quantity's, and none is used.  Raises ValueError where there is no value.  Source: Student 1908.
    """
    known = tuple(float(value) for value in values)
    if not known:
        raise ValueError("a spread takes at least one value")
    n = len(known)
    if all(value == known[0] for value in known):
        point = (known[0], known[0]) if n >= FEWEST and math.isfinite(known[0]) else None
        return Spread(known, known[0], 0.0 if n >= ENOUGH else None, point)
    with np.errstate(all="ignore"):  # of a run about to diverge even the sum may be too large
        mean, sd = float(np.mean(known)), float(np.std(known, ddof=1))
    if n < ENOUGH:
        return Spread(known, mean, None, None)
    half = quantile(n - 1) * sd / math.sqrt(n)
    if n < FEWEST or not math.isfinite(mean + half):
        return Spread(known, mean, sd, None)
    chosen = within if within.holds(known) else ANY
    return Spread(known, mean, sd, chosen.interval(mean, half))


class Paired(NamedTuple):
    """One method against another over the seeds they share, as `of` says: a ratio or a difference.

    `values` are those of each seed and `mean` theirs (of ratios the geometric one); `ci95` is its
    95 % interval and `p` the probability of a mean as far from no difference if there were none,
    both None of fewer than four seeds, `p` also where the seeds' differences do not vary.
    """

    of: str
    values: tuple[float, ...]
    mean: float
    ci95: tuple[float, float] | None
    p: float | None

    def text(self, form: Callable[[float], str], between: str = " ") -> str:
        """`mean [low, high] p = …`, or the values themselves of fewer than four seeds.

        Numbers are written by `form`, the parts stand apart by `between`.
        """
        if self.ci95 is None:
            return ", ".join(map(form, self.values))
        parts = [form(self.mean), f"[{', '.join(map(form, self.ci95))}]"]
        return between.join(parts if self.p is None else [*parts, p_text(self.p)])

    def document(self) -> dict[str, Any]:
        """The pair as a table that JSON can hold: its fields by name, tuples as lists."""
        return {name: list(value) if isinstance(value, tuple) else value
                for name, value in self._asdict().items()}


def paired(values: Sequence[float], baseline: Sequence[float], within: Range = ANY) -> Paired:
    """A method's values against a baseline's, seed by seed in the same order.

    Positive quantities by their ratios (differences of logarithms), where neither has a zero; all
    others by their differences.  Student's paired t test: seeds are few, and the least p that
    Wilcoxon's signed ranks can give of five pairs is 0.0625, whatever the data.  Raises ValueError
    where the seeds are none or not equally many.  Source: Student 1908.
    """
    ours, theirs = np.array(values, np.float64), np.array(baseline, np.float64)
    if not len(ours) or len(ours) != len(theirs):
        raise ValueError(f"pairs take as many values as baselines, got {len(ours)} and "
                         f"{len(theirs)}")
    if within == POSITIVE and (ours > 0).all() and (theirs > 0).all():
        logs = np.log(ours) - np.log(theirs)
        found = spread_of(logs.tolist())
        ratios = tuple(map(_exp, found.values))
        return Paired("ratio", ratios, _exp(found.mean),
                      found.ci95 and (_exp(found.ci95[0]), _exp(found.ci95[1])), _p(found, 1.0))
    found = spread_of((ours - theirs).tolist(), CHANGE if within == SHARE else ANY)
    size = float(max(np.abs(ours).max(), np.abs(theirs).max()))
    mean = found.mean if abs(found.mean) > ROUNDING * size else 0.0
    return Paired("difference", found.values, mean, found.ci95, _p(found, size))


def quantile(freedom: int) -> float:
    """The value that bounds the central 95 % of Student's t distribution with `freedom` degrees of
    freedom."""
    from scipy.special import stdtrit  # scipy.stats takes half a second to import

    return float(stdtrit(freedom, 0.5 + LEVEL / 2))


def p_text(p: float) -> str:
    """A probability as it is written: `p = 0.03`, and `p < 0.001` of the smallest."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}" if p < 0.995 else "p = 1"


def _p(differences: Spread, size: float) -> float | None:
    """Of a mean so far from 0 either way, if the true one were 0; None where nothing varies.

    `size` is that of the values whose differences they are.
    """
    n, sd = len(differences.values), differences.sd
    if n < FEWEST or sd is None or not ROUNDING * size < sd < math.inf:
        return None
    from scipy.stats import ttest_1samp

    return float(ttest_1samp(differences.values, 0.0).pvalue)


def _exp(log: float) -> float:
    return math.exp(min(max(log, -LARGEST_LOG), LARGEST_LOG))

