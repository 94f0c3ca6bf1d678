"""The painter's door: `python -m figures NAME…|all [--out DIR]`, `explore TRACE… --out FILE`."""

from __future__ import annotations

from pathlib import Path

import click

from sim.commands.door import Door


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1, required=True, metavar="NAME…|all")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("out"),
              show_default=True, help="Folder for PNG, SVG, PDF and CSV.")
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
    stability, validation.

    `explore TRACE… --out FILE.html` makes a page to look through traces with (explore --help).
    """
    from figures import making
    from figures.gallery import write_page
    from figures.splice import splice

    for name in making.check(names, data):
        for path in (making.make(name, out, seeds, jobs) if data is None
                     else making.redraw(name, data, out)):
            click.echo(f"{path} written")
            if readme is not None and path.suffix == ".md":
                splice(readme, path.stem, path.read_text())
    if page:
        click.echo(f"{write_page(out)} written")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("traces", nargs=-1, required=True, metavar="TRACE…",
                type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.html",
              default=Path("out/explorer.html"), show_default=True)
def explore(traces: tuple[Path, ...], out: Path) -> None:
    """Traces as one HTML file to zoom, hover and click through, offline; several are stacked."""
    from figures.explorer.page import explore as page
    from sim.trace import atomic_file

    text = page(traces)
    with atomic_file(out) as file:
        file.write(text.encode())
    click.echo(f"{out} written")


class _Bare(Door):
    """The door without a command name: every argument but `explore`'s belongs to `draw`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        named = args[:1] == ["explore"] and "explore" in self.commands
        return super().parse_args(ctx, args if named else ["draw", *args])


if __name__ == "__main__":
    _Bare(commands={"draw": draw, "explore": explore})(prog_name="python -m figures")
