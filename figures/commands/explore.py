"""`python -m figures explore`: traces as a page to look through."""

from __future__ import annotations

from pathlib import Path

import click

from sim.commands.door import HELP
from sim.commands.outputs import OUT_FILE


@click.command(context_settings=HELP)
@click.argument("traces", nargs=-1, required=True, metavar="TRACE…",
                type=click.Path(path_type=Path))
@click.option("--out", type=OUT_FILE, metavar="FILE.html",
              default=Path("out/explorer.html"), show_default=True)
def explore(traces: tuple[Path, ...], out: Path) -> None:
    """Traces as one HTML file to zoom, hover and click through, offline; several are stacked."""
    from figures.explorer.page import STEPS
    from figures.explorer.page import explore as page
    from sim.commands.bars import counted_later
    from sim.files.writing import write_text

    with counted_later(STEPS * len(traces)) as step:
        text = page(traces, step)
    write_text(out, text)
    click.echo(f"{out} written")
