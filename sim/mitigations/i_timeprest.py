"""I-TiMePReSt: a backward uses weights between the stale and the latest."""

import math
from dataclasses import dataclass
from typing import Any, Literal

from sim.mitigations import Look, Mitigation, Reads, mitigation

NO_SHARE = 1075 * math.log(2)  # exp(-x) is 0 in float64 from here on
WIDEST = 2**31  # more versions than there can be between two


@mitigation("i-timeprest",
            rule="backward computes with a*W_stale + (1-a)*W_latest, a = exp(-d*decay)",
            source="I-TiMePReSt, abstract; [choice] exponential form (secondary source), decay 1")
@dataclass(frozen=True)
class ITimePrest(Mitigation):
    """A backward's weights are a mean of those its forward read and the latest.

    The share of the former falls with `d`, the updates between the two: `decay=0` is `stash`,
    `decay=inf` the latest weights, and no others are read.

    `weighting="reciprocal"` uses a = 1/(1+d) instead and ignores `decay`.
    """

    keeps_forward = True
    interpolates = True
    decay: float = 1.0
    weighting: Literal["exponential", "reciprocal"] = "exponential"

    def __post_init__(self) -> None:
        if not self.decay >= 0:
            raise ValueError(f"decay is 0 or more (inf included), got {self.decay}")

    def stale_weight(self, gap: float) -> float:
        """The share `a` that weights `gap` versions behind the latest have, from 0 to 1."""
        if gap == 0:
            return 1.0
        if self.weighting == "reciprocal":
            return 1 / (1 + gap)
        return math.exp(-self.decay * gap)

    @property
    def reach(self) -> float:
        """The widest gap at which stale weights have a share; beyond it only the latest count.

        [choice] A share that float64 cannot tell from 0 is 0.
        """
        if self.weighting == "reciprocal" or self.decay * WIDEST < NO_SHARE:
            return math.inf
        near = math.floor(NO_SHARE / self.decay)  # off by one where it was rounded
        return next((gap for gap in (near + 1, near, near - 1)
                     if gap > 0 and self.stale_weight(gap) > 0), 0)

    @property
    def finds_forward(self) -> bool:
        return self.reach > 0

    def backward_version(self, reads: Reads) -> Any:
        reach = self.reach
        if reach == math.inf:
            return reads.forward
        if reach == 0:
            return reads.latest
        gap = reads.latest - reads.forward
        return reads.forward + gap * (gap > reach)

    def backward_weights(self, look: Look) -> Any:
        share = self.stale_weight(look.gap)
        if share == 1:
            return look.weights
        if share == 0:
            return look.latest
        return share * look.weights + (1 - share) * look.latest

    def effective_staleness(self, gap: Any) -> Any:
        return self.stale_weight(gap) * gap if gap else 0.0
