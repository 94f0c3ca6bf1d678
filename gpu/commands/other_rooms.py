"""What the commands ask of other rooms, through the door: this room imports from `sim` alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from gpu.studies.staleness.investigation import Findings
    from gpu.studies.tutorial.performance import Measured
    from gpu.studies.validation.cases import Contender
    from gpu.studies.validation.validate import Found
    from sim.trace import Trace

Report = dict[str, Any]


class OtherRooms(Protocol):
    """Metrics and texts of the analysis room, pictures of the figures'; `gpu.__main__` has them."""

    def report(self, trace: Trace) -> Report:
        """Every metric of a trace."""

    def contenders(self, grid: str) -> Sequence[Contender]:
        """Mitigations on schedules, separated by commas.  Raises ConfigurationError."""

    def validation(self, found: Sequence[Found], head: Mapping[str, Any], refused: Sequence[str],
                   out: Path | None) -> Report:
        """Predicted beside measured; everything also in the folder `out` where there is one."""

    def validation_page(self, report: Report) -> str:
        """A validation's report as Markdown."""

    def staleness_files(self, report: Report, found: Findings, out: Path) -> list[Path]:
        """Pictures and rows of a staleness study, written."""

    def tutorial_files(self, report: Report, found: Measured, out: Path) -> list[Path]:
        """Pictures and rows of the tutorial, written."""
