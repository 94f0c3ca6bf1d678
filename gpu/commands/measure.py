"""`python -m gpu measure`: a machine's profile, validation and tutorial in one go."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gpu.commands.door import end, typed
from gpu.commands.options import devices_option, graphs_option, own_orders
from gpu.commands.prepared import prepared
from sim.commands.bars import named
from sim.commands.outputs import OUT_FOLDER

if TYPE_CHECKING:
    from gpu.studies.measure.execute import Outcome


@click.command()
@devices_option
@own_orders("a machine is measured by programs of its own")
@graphs_option
@click.option("--out", required=True, type=OUT_FOLDER, metavar="DIR",
              help="A folder named after the machine.")
def measure(devices: str, graphs: str, out: Path) -> None:
    """Validate, captured and eager, and run the tutorial: nine minutes at most.

    Every step has a cap of its own, and what is done is there whatever comes after it.
    """
    from gpu.studies.measure.execute import execute
    from gpu.studies.measure.page import page
    from gpu.studies.measure.steps import steps
    from sim.files.writing import write_text

    prepared(None, (), devices, out)
    todo, command = steps(devices, out, graphs), typed()
    written: list[int] = []
    with named(len(todo)) as show:

        def tell(line: str) -> None:
            click.echo(line, err=True)
            show(len(written), line)

        def after(found: Sequence[Outcome]) -> None:
            write_text(out / "README.md", page(found, todo, out, command))
            written.append(len(found))

        outcomes = execute(todo, tell, after)
    if any(outcome.code != 0 for outcome in outcomes):
        end(1, f"not every step succeeded; {out}/README.md says which")
