"""Weight stashing: a backward reads the version its forward read."""

from dataclasses import dataclass
from typing import Any

from sim.mitigations import Mitigation, Reads, mitigation


@mitigation("stash", rule="forward reads the latest, backward the forward's version",
            source="Narayanan et al. 2019 (PipeDream), section 3.3")
@dataclass(frozen=True)
class Stash(Mitigation):
    """Both passes of a mini-batch use one version on a stage, but not the same on all stages.

    On stage k of S it is stale by S-1-k updates, and S-k versions are held.
    """

    keeps_forward = True

    def backward_version(self, reads: Reads) -> Any:
        return reads.forward
