"""Vertical sync: a mini-batch uses, on every stage, the version stage 0 gave it."""

from dataclasses import dataclass
from typing import Any

from sim.mitigations import Mitigation, Reads, mitigation


@mitigation("vertical-sync", rule="both passes read the version stage 0 had at entry",
            source="Narayanan et al. 2019 (PipeDream), section 3.3")
@dataclass(frozen=True)
class VerticalSync(Mitigation):
    """All passes of a mini-batch use one version, on every stage: the newest when it entered.

    It is stale by S-1 updates on each of S stages, which all hold S versions.  A backward reads
    stage 0's version anew, and not what its forward found under that number.
    """

    keeps_forward = False

    def forward_version(self, reads: Reads) -> Any:
        return reads.entry

    def backward_version(self, reads: Reads) -> Any:
        return reads.entry
