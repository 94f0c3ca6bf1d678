"""`python -m figures NAME…`: pictures of one's own runs, and the gallery's, by name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from figures.commands.looks import LOOKS, look_of, look_options
from figures.commands.parts import PARTS, part_options, wanted_of
from sim.commands.asked import program_option
from sim.commands.door import HELP
from sim.commands.outputs import OUT_FOLDER

if TYPE_CHECKING:
    from figures.own.asked import Asked

OWN = {"--set", "--program", *PARTS}  # what asks for a picture of one's own run
GALLERY = ("--seeds", "--jobs", "--readme", "--page")


@click.command(context_settings=HELP)
@click.argument("names", nargs=-1, required=True,
                metavar="NAME…|all [TRACE|EXPERIMENT.toml|DIR]…")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE",
              help="Override one key of the experiment, e.g. pipeline.stages=8.")
@program_option
@part_options
@look_options
@click.option("--out", type=OUT_FOLDER, default=Path("out"), show_default=True,
              help="Folder for the pictures and their rows as CSV.")
@click.option("--seeds", type=click.IntRange(1, 100), default=3, show_default=True,
              help="Seeds where a figure of the gallery trains (jitter: ten runs for each).")
@click.option("--jobs", type=click.IntRange(1, 256), default=1, show_default=True,
              help="Processes to make the gallery's in.")
@click.option("--readme", type=click.Path(path_type=Path, exists=True), default=None,
              help="Also put the tables made into this document, between their markers.")
@click.option("--page", is_flag=True, help="Also write README.md, a page of all pictures in --out.")
@click.pass_context
def draw(ctx: click.Context, /, **options: Any) -> None:
    """Draw runs of your own, or the gallery's figures.

    Of runs of your own (traces .npz, experiments .toml, or the default one with --set): timeline,
    staleness, memory, learning, prediction, jitter; and validation, of the folders that gpu
    validate wrote.

    By name alone, from fixed experiments: timeline, staleness, prediction, learning, rates,
    systems, memory, epochs, advice, jitter, nesterov, slots, shallow, stability, drift,
    uneven, validation; or all of them.  bench draws what make bench wrote.

    `sweep TABLE.csv --x KEY --y KEY` draws what a sweep found, and `explore TRACE… --out FILE.html`
    makes a page to look through traces with (sweep --help, explore --help).
    """
    from figures.own.inputs import is_rows

    asked = _asked(ctx, options)
    data = options["start"] if isinstance(options["start"], Path) else None
    if data is not None:
        written = _again(asked, data)
    elif asked.files and is_rows(asked.files[0]):
        written = _again(asked, asked.files[0])
    elif asked.files or OWN & set(asked.given):
        written = _own(asked)
    else:
        written = _gallery(asked, options)
    for path in written:
        click.echo(f"{path} written")


def _asked(ctx: click.Context, options: dict[str, Any]) -> Asked:
    """The options understood.  Raises ConfigurationError where they say nothing sensible."""
    from figures.own.asked import Asked
    from figures.own.inputs import split

    names, files = split(options["names"])
    start = options["start"] if isinstance(options["start"], float) else None
    given = {each.opts[-1]: options[each.name] for each in ctx.command.params
             if each.name in options and each.opts[0].startswith("--")
             and ctx.get_parameter_source(each.name) is click.core.ParameterSource.COMMANDLINE}
    if isinstance(options["start"], Path):
        del given["--from"]
    wanted = wanted_of(start, **{name: options[name] for name in PARTS.values() if name != "start"})
    return Asked(tuple(names), tuple(files), options["settings"], options["program_file"], wanted,
                 look_of(*(options[name] for name in LOOKS.values())), options["out"], given)


def _again(asked: Asked, data: Path) -> Iterable[Path]:
    """Draw the rows of one figure again."""
    from figures import making

    asked.refuse(("--set", "--program", *GALLERY), "draws rows again, where nothing is run")
    return making.redraw(asked, data)


def _own(asked: Asked) -> Iterable[Path]:
    """Draw runs of one's own."""
    from figures.own.making import make

    asked.refuse(GALLERY, "goes with the gallery's figures, not with runs of your own")
    return make(asked)


def _gallery(asked: Asked, options: dict[str, Any]) -> Iterable[Path]:
    """Make figures of the gallery, with tables and page."""
    from figures import making
    from figures.gallery import PAGE, write_page
    from figures.splice import splice
    from sim.files.writing import check_file

    asked.refuse(("--width",), "figures made from fixed experiments are laid out for a page of "
                 "7.2in; name a trace or an experiment, or --set a key, to draw one of your own")
    names = making.check(asked.names)
    making.check_out(names, asked.out, asked.look)
    out, readme = asked.out, options["readme"]
    for each in (*([out / PAGE] if options["page"] else []), *([readme] if readme else [])):
        check_file(each)
    for name in names:
        for path in making.make(asked, name, options["seeds"], options["jobs"]):
            yield path
            if readme is not None and path.suffix == ".md":
                splice(readme, path.stem, path.read_text(encoding="utf-8"))
    if options["page"]:
        yield write_page(out)
