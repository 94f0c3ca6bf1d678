"""`python -m figures NAME…|all`: pictures and tables, by name."""

from __future__ import annotations

from pathlib import Path

import click

from sim.commands.door import HELP
from sim.commands.outputs import OUT_FOLDER


@click.command(context_settings=HELP)
@click.argument("names", nargs=-1, required=True, metavar="NAME…|all")
@click.option("--out", type=OUT_FOLDER, default=Path("out"), show_default=True,
              help="Folder for PNG, SVG, PDF and CSV.")
@click.option("--seeds", type=click.IntRange(1, 100), default=3, show_default=True,
              help="Seeds where a figure trains (jitter: ten runs for each).")
@click.option("--jobs", type=click.IntRange(1, 256), default=1, show_default=True,
              help="Processes to run in.")
@click.option("--from", "data", type=click.Path(path_type=Path, dir_okay=False), default=None,
              help="Draw this CSV of the figure again; nothing is run.")
@click.option("--readme", type=click.Path(path_type=Path, exists=True), default=None,
              help="Also put the tables made into this document, between their markers.")
@click.option("--page", is_flag=True, help="Also write README.md, a page of all pictures in --out.")
def draw(names: tuple[str, ...], out: Path, seeds: int, jobs: int, data: Path | None,
         readme: Path | None, page: bool) -> None:
    """Draw figures by name, or all of them; `bench` reads what make bench wrote.

    timeline, staleness, prediction, learning, rates, systems, memory, epochs, advice, jitter,
    nesterov, slots, shallow, stability, validation.

    `explore TRACE… --out FILE.html` makes a page to look through traces with (explore --help).
    """
    from figures import making
    from figures.gallery import PAGE, write_page
    from figures.splice import splice
    from sim.files.writing import check_file

    chosen = making.check(names, data)
    if data is None:
        making.check_out(chosen, out)
    for written in (*([out / PAGE] if page else []), *([readme] if readme else [])):
        check_file(written)
    for name in chosen:
        for path in (making.make(name, out, seeds, jobs) if data is None
                     else making.redraw(name, data, out)):
            click.echo(f"{path} written")
            if readme is not None and path.suffix == ".md":
                splice(readme, path.stem, path.read_text(encoding="utf-8"))
    if page:
        click.echo(f"{write_page(out)} written")
