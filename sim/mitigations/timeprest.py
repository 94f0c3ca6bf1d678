"""TiMePReSt: vertical sync without the horizontal stash."""

from dataclasses import dataclass
from typing import Any

from sim.mitigations import Mitigation, Reads, Setting, mitigation


def require_nf1b(name: str, setting: Setting) -> None:
    """Refuse any order but nF1B.  Raises ValueError."""
    if setting.schedule != "nf1b":
        raise ValueError(f"{name} is defined on nf1b, not on {setting.schedule}")


@mitigation("timeprest", rule="forward reads the version stage 0 had at entry, backward the latest",
            source="TiMePReSt (secondary source): vertical sync kept, horizontal stash dropped")
@dataclass(frozen=True)
class TimePrest(Mitigation):
    """Forwards agree across stages; a backward uses the newest weights of its stage."""

    def check(self, setting: Setting) -> None:
        require_nf1b("timeprest", setting)

    def forward_version(self, reads: Reads) -> Any:
        return reads.entry
