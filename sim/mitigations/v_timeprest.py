"""V-TiMePReSt: no stash at all, one live version per stage."""

from dataclasses import dataclass

from sim.mitigations import Mitigation, Setting, mitigation
from sim.mitigations.timeprest import require_nf1b


@mitigation("v-timeprest", rule="every pass reads the latest; one live version per stage",
            source="V-TiMePReSt, abstract (latest weights in every pass); [choice] the rule")
@dataclass(frozen=True)
class VTimePrest(Mitigation):
    """Every pass reads its stage's newest weights, on an nF1B with a single chain of updates.

    That is so for at most n+1 stages, with n micro-batches in a mini-batch.
    """

    def check(self, setting: Setting) -> None:
        require_nf1b("v-timeprest", setting)
        stages, n = setting.shape.stages, setting.shape.microbatches
        if stages > n + 1:
            raise ValueError(f"v-timeprest needs stages <= microbatches + 1 for one chain of "
                             f"updates, got {stages} stages and {n} micro-batches")
