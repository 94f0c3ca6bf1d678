"""I-TiMePReSt: a backward uses weights between the stale and the latest."""

import math
from dataclasses import dataclass
from typing import Any, Literal

from sim.mitigations import Look, Mitigation, Reads, mitigation


@mitigation("i-timeprest",
            rule="backward computes with a*W_stale + (1-a)*W_latest, a = exp(-d*decay)",
            source="I-TiMePReSt, abstract; [choice] exponential form (secondary source), decay 1")
@dataclass(frozen=True)
class ITimePrest(Mitigation):
    """A backward's weights are a mean of those its forward read and the latest.

    The share of the former falls with `d`, the updates between the two: `decay=0` is `stash`,
    `decay=inf` the latest weights.

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

    def backward_version(self, reads: Reads) -> Any:
        return reads.forward

    def backward_weights(self, look: Look) -> Any:
        share = self.stale_weight(look.gap)
        if share == 1:
            return look.weights
        if share == 0:
            return look.latest
        return share * look.weights + (1 - share) * look.latest

    def effective_staleness(self, gap: Any) -> Any:
        return self.stale_weight(gap) * gap if gap else 0.0
