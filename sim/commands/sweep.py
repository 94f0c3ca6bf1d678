"""`python -m sim sweep`: many experiments from one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sim.commands.door import json_option, print_json

if TYPE_CHECKING:
    from sim.commands.other_rooms import OtherRooms


@click.command()
@click.argument("sweep", metavar="SWEEP.toml", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Journal and tables; a sweep begun there goes on.  [default: out/SWEEP]")
@click.option("--workers", type=click.IntRange(min=1), metavar="N",
              help="Processes of this machine.  [default: its cores]")
@click.option("--dask", metavar="ADDRESS", help="The workers of a running Dask cluster instead.")
@json_option
@click.pass_obj
def sweep(rooms: OtherRooms, sweep: Path, out: Path | None, workers: int | None,
          dask: str | None, as_json: bool) -> None:
    """Grid or random search over any keys; killed at any moment, the same command goes on."""
    from sim.errors import ConfigurationError

    if dask is not None and workers is not None:
        raise ConfigurationError(["--workers: the cluster of --dask has its own; give one of them"])
    out = out or Path("out", sweep.stem)
    rows, errors = rooms.sweep(sweep, out, workers, dask)
    if as_json:
        print_json(rows)
        return
    click.echo(f"{len(rows)} points, {sum(count for _, count in errors)} failed; table.csv and "
               f"table.json in {out}")
    for error, count in errors[:10]:
        click.echo(f"failed {count} times: {error}")
