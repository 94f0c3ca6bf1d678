"""`python -m gpu measure`: a machine's profile and validation in one go."""

from __future__ import annotations

from pathlib import Path

import click

from gpu.commands.door import end, typed
from gpu.commands.options import devices_option
from gpu.commands.prepared import prepared


@click.command()
@devices_option
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path),
              metavar="DIR", help="A folder named after the machine.")
def measure(devices: str, out: Path) -> None:
    """Profile and validate in at most nine minutes, every step under a cap of its own."""
    from gpu.studies.measure import execute, page, steps
    from sim.trace import atomic_file

    prepared(None, (), devices, out)
    outcomes = execute(steps(devices, out), lambda line: click.echo(line, err=True))
    with atomic_file(out / "README.md") as file:
        file.write(page(outcomes, out.name, typed()).encode())
    if any(outcome.code != 0 for outcome in outcomes):
        end(1, f"not every step succeeded; {out}/README.md says which")
