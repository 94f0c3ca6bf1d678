"""TiMePReSt: forwards agree on a version across stages, and no old one is kept for a backward."""

from dataclasses import dataclass
from typing import Any

from sim.mitigations import Mitigation, Reads, Setting, mitigation


def require_nf1b(name: str, setting: Setting) -> None:
    """Refuse a pipeline under any schedule but nF1B.  Raises ValueError naming the mitigation."""
    if setting.schedule != "nf1b":
        raise ValueError(f"{name} is defined on nf1b, not on {setting.schedule}")


@mitigation("timeprest", rule="forward reads the version stage 0 had at entry, backward the latest",
            source="TiMePReSt (secondary source): vertical sync kept, horizontal stash dropped")
@dataclass(frozen=True)
class TimePrest(Mitigation):
    """Forwards of a mini-batch use one version on all stages, a backward its stage's newest."""

    def check(self, setting: Setting) -> None:
        require_nf1b("timeprest", setting)

    def forward_version(self, reads: Reads) -> Any:
        return reads.entry
