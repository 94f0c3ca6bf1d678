"""Making the gallery's pictures from a name, and any picture again from the rows in a CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from figures.catalogue import FIGURES, LOCAL, Picture
from figures.drawing.look import Look
from figures.own import making as own_making
from figures.own.asked import Asked
from figures.own.catalogue import NAMES, OPTIONS
from figures.rows import read_rows
from sim.commands.bars import counted
from sim.errors import ConfigurationError, MistakeError, unknown
from sim.rows import Rows

LOOKS = ("--title", "--font", "--format", "--dpi")  # what a picture of the gallery takes
COMMANDS = ("explore", "sweep")  # beside the figures


def check(names: Sequence[str]) -> list[str]:
    """Names of figures to make, `all` resolved.  Raises ConfigurationError for any unknown."""
    known = (*FIGURES, *LOCAL, "all")
    problems = [unknown("figure", name, known, COMMANDS) for name in names if name not in known]
    if problems:
        raise ConfigurationError(problems)
    return list(FIGURES if "all" in names else dict.fromkeys(names))


def check_out(names: list[str], out: Path, look: Look) -> None:
    """Make sure that the files of these figures can be written.  Raises OutputError."""
    for name in names:
        for picture in pictures(name):
            picture.check_out(out, look.formats)


def make(asked: Asked, name: str, seeds: int, jobs: int) -> Iterator[Path]:
    """Run what one figure needs and draw it; the paths of its files, as they are written."""
    given = {"--seeds": seeds, **{each: asked.given[each] for each in LOOKS if each in asked.given}}
    command = Asked((name,), given=given).command("--seeds", *LOOKS)
    for picture in pictures(name):
        total = len(picture.pieces(range(seeds)))
        with counted(picture.file, total) as done:
            rows = picture.data(range(seeds), done, jobs)
        with asked.look.hung():
            yield from picture.write(rows, asked.out, command, picture.origin(range(seeds)),
                                     formats=asked.look.formats)


def redraw(asked: Asked, data: Path) -> list[Path]:
    """Draw the rows of a CSV again; nothing is run.

    They may be those of a picture of the gallery or of one of one's own runs; where a part or a
    width is asked for, of the latter.  Raises ConfigurationError for any other rows.
    """
    names = check(asked.names)
    if len(names) != 1 or "all" in asked.names or len(asked.files) > 1:
        raise ConfigurationError([f"--from: draws the rows of one figure, so name one and one "
                                  f"table, got {' '.join(map(str, (*names, *asked.files)))}"])
    (name,) = names
    rows = read_rows(data)
    ways: list[Callable[[], list[Path]]] = [lambda: _hang_again(asked, name, rows, data)]
    if name in NAMES:
        ways.append(lambda: own_making.redraw(asked, name, rows, data))
    if {"--width", *OPTIONS.values()} & set(asked.given):
        ways.reverse()
    problems: list[str] = []
    for way in ways:
        try:
            return way()
        except ConfigurationError as error:
            problems += error.problems
    raise ConfigurationError(problems[:1])


def _hang_again(asked: Asked, name: str, rows: Rows, data: Path) -> list[Path]:
    """Draw rows of a picture of the gallery.  Raises ConfigurationError for any other rows."""
    asked.refuse(("--width", *OPTIONS.values()), f"{data} is drawn as the gallery's {name} is")
    picture = _of(name, data.stem)
    picture.check_out(asked.out, asked.look.formats, data.stem)
    command = Asked((name,), given={**asked.given, "--from": Path(data.name)}
                    ).command("--from", *LOOKS)
    try:
        with asked.look.hung():
            picture.message(rows)
            return picture.write([dict(row) for row in rows], asked.out, command, None, data.stem,
                                 asked.look.formats)
    except (MistakeError, MemoryError):
        raise
    except Exception as error:  # the table of something else can go wrong in any way
        raise ConfigurationError([f"{data}: not the data of figure {name} ({error!r})"]) from None


def _of(name: str, stem: str) -> Picture:
    return next((each for each in pictures(name) if each.file == stem), pictures(name)[0])


def pictures(name: str) -> tuple[Picture, ...]:
    """The pictures of one figure."""
    return FIGURES[name] if name in FIGURES else LOCAL[name]
