"""Vertical sync: a mini-batch uses, on every stage, the version stage 0 gave it."""

from dataclasses import dataclass
from typing import Any

from sim.mitigations import Mitigation, Reads, mitigation


@mitigation("vertical-sync", rule="both passes read the version stage 0 had at entry",
            source="Narayanan et al. 2019 (PipeDream), section 3.3")
@dataclass(frozen=True)
class VerticalSync(Mitigation):
    """Consistent on and across stages, stale by S-1 everywhere; S versions on every stage.

    A backward asks for stage 0's version again, not for what its forward found under it.
    """

    keeps_forward = False

    def forward_version(self, reads: Reads) -> Any:
        return reads.entry

    def backward_version(self, reads: Reads) -> Any:
        return reads.entry
