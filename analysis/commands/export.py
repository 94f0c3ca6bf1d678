"""`python -m analysis export`: a trace for other tools."""

from __future__ import annotations

from pathlib import Path

import click

from analysis.exports import FORMATS
from sim.commands.clock import EXPORTS, read_traces
from sim.commands.outputs import OUT_FILE


@click.command()
@click.argument("trace", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(list(FORMATS)), required=True)
@click.option("--out", type=OUT_FILE, required=True, metavar="FILE")
def export(trace: Path, form: str, out: Path) -> None:
    """Write a trace for other tools: chrome opens in Perfetto, torch-csv in PyTorch."""
    from analysis.exports import export as content_of
    from sim.files.writing import write_whole

    with read_traces(f"writing {form}", [trace], EXPORTS[form]) as (loaded,):
        write_whole(out, content_of(loaded, form))
    click.echo(f"{out} written")
