"""`python -m gpu measure`: a machine's profile, validation and tutorial in one go."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gpu.commands.door import end, typed
from gpu.commands.options import devices_option, graphs_option, own_orders
from gpu.commands.prepared import prepared
from sim.commands.bars import estimated

if TYPE_CHECKING:
    from gpu.studies.measure.execute import Outcome


@click.command()
@devices_option
@own_orders("a machine is measured by programs of its own")
@graphs_option
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path),
              metavar="DIR", help="A folder named after the machine.")
def measure(devices: str, graphs: str, out: Path) -> None:
    """Validate, captured and eager, and run the tutorial: nine minutes at most.

    Every step has a cap of its own, and what is done is there whatever comes after it.
    """
    from gpu.studies.measure.execute import execute
    from gpu.studies.measure.page import page
    from gpu.studies.measure.steps import LIMIT_S, steps
    from sim.trace import atomic_file

    prepared(None, (), devices, out)
    todo, command = steps(devices, out, graphs), typed()
    with estimated(len(todo), LIMIT_S, "step") as done:

        def after(found: Sequence[Outcome]) -> None:
            with atomic_file(out / "README.md") as file:
                file.write(page(found, todo, out, command).encode())
            done()

        outcomes = execute(todo, lambda line: click.echo(line, err=True), after)
    if any(outcome.code != 0 for outcome in outcomes):
        end(1, f"not every step succeeded; {out}/README.md says which")
