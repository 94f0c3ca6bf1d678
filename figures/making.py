"""Making pictures from a name: run what they need, or draw again what a CSV holds."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from figures.catalogue import FIGURES, LOCAL, Picture
from figures.rows import read_rows
from sim.commands.bars import counted
from sim.errors import ConfigurationError, MistakeError, unknown


def check(names: tuple[str, ...], data: Path | None) -> list[str]:
    """Names of figures to make, `all` resolved.  Raises ConfigurationError for any unknown."""
    known = (*FIGURES, *LOCAL, "all")
    problems = [unknown("figure", name, known) for name in names if name not in known]
    if data is not None and (len(names) != 1 or "all" in names):
        problems.append(f"--from: draws the rows of one figure, so name one, got "
                        f"{', '.join(names)}")
    if problems:
        raise ConfigurationError(problems)
    return list(FIGURES if "all" in names else dict.fromkeys(names))


def check_out(names: list[str], out: Path) -> None:
    """Make sure that the files of these figures can be written.  Raises OutputError."""
    for name in names:
        for picture in pictures(name):
            picture.check_out(out)


def make(name: str, out: Path, seeds: int, jobs: int) -> Iterator[Path]:
    """Run what one figure needs and draw it; the paths of its files, as they are written."""
    command = shlex.join(["python", "-m", "figures", name, "--seeds", str(seeds)])
    for picture in pictures(name):
        total = len(picture.pieces(range(seeds)))
        with counted(picture.file, total) as done:
            rows = picture.data(range(seeds), done, jobs)
        yield from picture.write(rows, out, command, picture.origin(range(seeds)))


def redraw(name: str, data: Path, out: Path) -> list[Path]:
    """Draw the rows of a CSV again; nothing is run.  Raises ConfigurationError for others' rows."""
    rows = read_rows(data)
    _of(name, data.stem).check_out(out, data.stem)
    command = shlex.join(["python", "-m", "figures", name, "--from", data.name])
    picture = _of(name, data.stem)
    try:
        picture.message(rows)
        figure_rows = [dict(row) for row in rows]
        return picture.write(figure_rows, out, command, None, data.stem)
    except (MistakeError, MemoryError):
        raise
    except Exception as error:  # the table of something else can go wrong in any way
        raise ConfigurationError([f"{data}: not the data of figure {name} ({error!r})"]) from None


def _of(name: str, stem: str) -> Picture:
    return next((each for each in pictures(name) if each.file == stem), pictures(name)[0])


def pictures(name: str) -> tuple[Picture, ...]:
    """The pictures of one figure."""
    return FIGURES[name] if name in FIGURES else LOCAL[name]
