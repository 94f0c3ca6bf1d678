"""`python -m sim sweep`: many experiments from one file."""

from __future__ import annotations

from pathlib import Path

import click

from sim.commands.bars import points
from sim.commands.door import console, json_option, print_json
from sim.commands.outputs import OUT_FOLDER


@click.command()
@click.argument("sweep", metavar="SWEEP.toml", type=click.Path(path_type=Path))
@click.option("--out", type=OUT_FOLDER, metavar="DIR",
              help="Journal and tables; a sweep begun there goes on.  [default: out/SWEEP]")
@click.option("--workers", type=click.IntRange(1, 1024), metavar="N",
              help="Processes of this machine.  [default: its cores]")
@click.option("--dask", metavar="ADDRESS", help="The workers of a running Dask cluster instead.")
@json_option
def sweep(sweep: Path, out: Path | None, workers: int | None, dask: str | None,
          as_json: bool) -> None:
    """Grid or random search over any keys; killed at any moment, the same command goes on."""
    from analysis.sweep.pool import cluster, processes
    from analysis.sweep.reading import read_sweep
    from analysis.sweep.run import JOURNAL, run_sweep
    from analysis.sweep.tables import FILES, failures
    from analysis.terminal.sweep_table import sweep_tables
    from sim.files.writing import check_file

    _refuse_both(dask, workers)
    out = out or Path("out", sweep.stem)
    for name in (JOURNAL, *FILES):
        check_file(out / name)
    asked = read_sweep(sweep)
    said: list[str] = []
    with points(len(asked)) as progress:
        rows = run_sweep(asked, out, processes(workers) if dask is None else cluster(dask),
                         progress, said.append)
    for line in said:
        click.echo(line, err=True)
    if as_json:
        print_json(rows)
        return
    screen = console()
    for table in sweep_tables(rows):
        screen.print(table)
    screen.print(f"{len(rows)} points, {sum(count for _, count in failures(rows))} failed; "
                 f"table.csv and table.json in {out}", markup=False)


def _refuse_both(dask: str | None, workers: int | None) -> None:
    """A Dask cluster has workers of its own.  Raises ConfigurationError."""
    from sim.errors import ConfigurationError

    if dask is not None and workers is not None:
        raise ConfigurationError(["--workers: the cluster of --dask has its own; give one of them"])
