"""The door of the torch backend: `python -m gpu run | profile | validate | measure …`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpu.commands.measure import measure
from gpu.commands.profile import profile
from gpu.commands.run import run
from gpu.commands.staleness import staleness
from gpu.commands.tutorial import tutorial
from gpu.commands.validate import validate

if TYPE_CHECKING:
    from gpu.commands.other_rooms import OtherRooms, Report
    from gpu.studies.staleness.investigation import Findings
    from gpu.studies.tutorial.performance import Measured
    from gpu.studies.validation.cases import Contender
    from gpu.studies.validation.validate import Found
    from sim.trace import Trace


class Rooms:
    """`OtherRooms` as they are, the analysis room and the figures'; imported when asked."""

    def report(self, trace: Trace) -> Report:
        from analysis.metrics.report import report

        return report(trace)

    def contenders(self, grid: str) -> Sequence[Contender]:
        from analysis.comparison.compare import contenders

        return contenders(grid)

    def validation(self, found: Sequence[Found], head: Mapping[str, Any], refused: Sequence[str],
                   out: Path | None) -> Report:
        from analysis.validation.report import build
        from figures.bundles.validation import write

        report = build(found, head, refused)
        if out is not None:
            write(report, found, out)
        return report

    def validation_page(self, report: Report) -> str:
        from analysis.validation.text import markdown

        return markdown(report)

    def staleness_files(self, report: Report, found: Findings, out: Path) -> list[Path]:
        from figures.bundles.staleness import write

        return write(report, found, out)

    def tutorial_files(self, report: Report, found: Measured, out: Path) -> list[Path]:
        from figures.bundles.tutorial import write

        return write(report, found, out)


ROOMS: OtherRooms = Rooms()


@click.group(context_settings={"help_option_names": ["-h", "--help"], "obj": ROOMS})
def main() -> None:
    """Run pipeline programs on real ResNet stages: CPU threads, GPUs, or ranks of torchrun."""


for command in (run, profile, validate, measure, staleness, tutorial):
    main.add_command(command)


if __name__ == "__main__":
    main(prog_name="python -m gpu")
