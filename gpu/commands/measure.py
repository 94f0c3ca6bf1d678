"""`python -m gpu measure`: a machine's profile and validation in one go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gpu.commands.guard import end, guarded, typed
from gpu.commands.options import devices_option
from gpu.commands.prepared import prepared

if TYPE_CHECKING:
    from gpu.studies.measure import Outcome


@click.command()
@devices_option
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path),
              metavar="DIR", help="A folder named after the machine.")
def measure(devices: str, out: Path) -> None:
    """Profile and validate in at most nine minutes, every step under a cap of its own."""

    def work() -> list[Outcome]:
        from gpu.studies.measure import execute, page, steps
        from sim.trace import atomic_file

        prepared(None, (), devices, out)
        outcomes = execute(steps(devices, out), lambda line: click.echo(line, err=True))
        with atomic_file(out / "README.md") as file:
            file.write(page(outcomes, out.name, typed()).encode())
        return outcomes

    if any(outcome.code != 0 for outcome in guarded(work)):
        end(1, f"not every step succeeded; {out}/README.md says which")
