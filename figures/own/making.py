"""Pictures of one's own runs, made: run what has to be run, draw, write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from figures.bundles import validation
from figures.catalogue import FIGURES, LOCAL
from figures.origin import paths, save
from figures.own.asked import Asked
from figures.own.catalogue import FOLDERS, NAMES, OPTIONS, own, refuse_others
from figures.own.inputs import check_wanted, folder_of, sources
from figures.traces.wanted import OwnPicture
from sim.commands.bars import busy
from sim.errors import ConfigurationError, MistakeError, unknown
from sim.files.writing import check_file
from sim.rows import Rows
from sim.wording import plural

LOOKS = ("--title", "--width", "--font", "--format", "--dpi")
SOURCES = ("--set", "--program", *OPTIONS.values())


def check(names: Sequence[str]) -> list[str]:
    """Names of pictures of one's own runs, each once.  Raises ConfigurationError for any other."""
    known = (*NAMES, FOLDERS)
    problems = [f"figure {name}: made from fixed experiments; of runs of your own there are "
                f"{', '.join(known)}" if name in (*FIGURES, *LOCAL, "all")
                else unknown("figure", name, known, (*FIGURES, *LOCAL, "explore", "sweep"))
                for name in names if name not in known]
    if FOLDERS in names and set(names) != {FOLDERS}:
        problems.append(f"figure {FOLDERS}: drawn from folders, so alone")
    if problems:
        raise ConfigurationError(problems)
    return list(dict.fromkeys(names))


def make(asked: Asked) -> Iterator[Path]:
    """Read what is given, run what is to be run, and draw it; the files, as they are written.

    Everything is looked at before anything is run.  Raises MistakeError.
    """
    names = check(asked.names)
    refuse_others(names, asked.wanted)
    if FOLDERS in names:
        yield from _validation(asked)
        return
    found = sources(asked.files, asked.settings, asked.program)
    check_wanted(found, asked.wanted)
    pictures = [own(name) for name in names]
    problems = [f"{each.name}: shows at most {plural(each.runs, 'run')}, got {len(found)}"
                for each in pictures if len(found) > each.runs]
    if problems:
        raise ConfigurationError(problems)
    _check_out(asked, names)
    training = asked.wanted.colour == "distance" or any(each.trained for each in pictures)
    evaluated = any(each.evaluated for each in pictures)
    runs = [source.run(training, evaluated) for source in found]
    configuration = {"runs": {each.name: each.trace.header.experiment for each in runs}}
    for picture in pictures:
        command = _command(asked, picture.name)
        rows = picture.rows(runs, asked.wanted)
        yield from _write(asked, picture, rows, picture.name, (command, configuration))


def _command(asked: Asked, name: str) -> str:
    one = Asked((name,), asked.files, given=asked.given)
    return one.command(*SOURCES, *LOOKS)


def _check_out(asked: Asked, names: Sequence[str]) -> None:
    """Make sure that the files of these pictures can be written.  Raises OutputError."""
    for name in names:
        for path in paths(asked.out, name, asked.look.formats):
            check_file(path)


def _validation(asked: Asked) -> Iterator[Path]:
    """Draw what `gpu validate` wrote into folders."""
    asked.refuse(("--set", "--program"), "validation draws what was measured; nothing is run")
    if not asked.files:
        raise ConfigurationError([f"figure {FOLDERS}: name the folders that gpu validate wrote"])
    given = [folder_of(path) for path in asked.files]
    _check_out(asked, validation.NAMES)
    with asked.look.worn():
        yield from validation.draw(given, asked.out, _command(asked, FOLDERS), asked.look)


def _write(asked: Asked, picture: OwnPicture, rows: Rows, name: str,
           origin: tuple[str, dict[str, Any] | None]) -> list[Path]:
    """Draw rows and write the picture in the formats of the look; the paths of its files.

    `origin` is the command and the configuration that made it.
    """
    with busy(f"drawing {name}"), asked.look.worn():
        figure = picture.draw(rows, asked.look, asked.wanted)
        return save(figure, rows, asked.out, name, *origin, formats=asked.look.formats)


def redraw(asked: Asked, name: str, rows: Rows, data: Path) -> list[Path]:
    """Draw the rows of a picture's CSV again; nothing is run.

    Raises ConfigurationError where they are another table's.
    """
    refuse_others([name], asked.wanted)
    picture = own(name)
    _check_out(asked, [data.stem])
    given = {name: value for name, value in asked.given.items() if name != "--from"}
    command = Asked((name,), given={**given, "--from": Path(data.name)}).command(
        "--from", *OPTIONS.values(), *LOOKS)
    try:
        picture.message(rows)
        return _write(asked, picture, [dict(row) for row in rows], data.stem, (command, None))
    except (MistakeError, MemoryError):
        raise
    except Exception as error:  # the table of something else can go wrong in any way
        raise ConfigurationError([f"{data}: not the data of figure {name} ({error!r})"]) from None
