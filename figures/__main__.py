"""The painter's door: `python -m figures NAME…|all [--out DIR]`, `explore TRACE… --out FILE`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from sim.door import Door


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1, required=True, metavar="NAME…|all")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("out"),
              show_default=True, help="Folder for PNG, SVG and CSV.")
@click.option("--seeds", type=click.IntRange(1, 100), default=3, show_default=True,
              help="Seeds to average over where a figure trains.")
@click.option("--readme", type=click.Path(path_type=Path, exists=True), default=None,
              help="Also put the tables made into this document, between their markers.")
def draw(names: tuple[str, ...], out: Path, seeds: int, readme: Path | None) -> None:
    """Draw figures by name (timeline, staleness, rates, stability, advice, bench), or all.

    `explore TRACE… --out FILE.html` makes a page to look through traces with (explore --help).
    """
    from figures.catalogue import FIGURES, every
    from figures.splice import splice
    from sim.configuration import ConfigurationError

    unknown = [name for name in names if name not in (*FIGURES, "all")]
    if unknown:
        raise ConfigurationError([f"figure {name!r} is unknown; choose from "
                                  f"{', '.join(FIGURES)}, all" for name in unknown])
    for name in every() if "all" in names else dict.fromkeys(names):
        command = shlex.join(["python", "-m", "figures", name, "--seeds", str(seeds)])
        for path in FIGURES[name](out, seeds, command):
            click.echo(f"{path} written")
            if readme is not None and path.suffix == ".md":
                splice(readme, path.stem, path.read_text())


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
