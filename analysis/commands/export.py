"""`python -m analysis export`: a trace for other tools."""

from __future__ import annotations

from pathlib import Path

import click

from analysis.exports import FORMATS


@click.command()
@click.argument("trace", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(list(FORMATS)), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE")
def export(trace: Path, form: str, out: Path) -> None:
    """Write a trace for other tools: chrome opens in Perfetto, torch-csv in PyTorch."""
    from analysis.exports import export as content_of
    from sim.trace import Trace, atomic_file

    content = content_of(Trace.load(trace), form)
    with atomic_file(out) as file:
        file.write(content)
    click.echo(f"{out} written")
