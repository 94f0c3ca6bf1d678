"""Files that are read: there, regular, of a size that one of their kind may have, and text.

A pipe or a device could be waited for for ever, or give without end, so none is read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import IO

from sim.errors import InputError, nearest
from sim.files.kinds import kind_of

MOST_BYTES = 1 << 28  # of what is read whole: text and tables
MARK = "\ufeff"
MOST_NAMES = 2000  # of a folder that are looked through for the nearest


@contextmanager
def opened(path: str | Path, most_bytes: int | None = MOST_BYTES) -> Iterator[IO[bytes]]:
    """A file's bytes while it is open, of at most `most_bytes` bytes (None: as many as it has).

    Raises InputError naming the file where it is not there, cannot be read, is no regular file or
    is larger than that.
    """
    try:
        _refuse_kind(path, os.stat(path).st_mode)  # some devices do something when they are opened
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except InputError:
        raise
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path}: there is no such file{nearest_path(path)}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    with os.fdopen(number, "rb") as file:
        about = os.fstat(number)
        _refuse_kind(path, about.st_mode)  # it may be another by now
        if most_bytes is not None and about.st_size > most_bytes:
            raise InputError(f"{path}: has {about.st_size / 1e6:.0f} MB, more than the "
                             f"{most_bytes / 1e6:.0f} MB of any such file")
        yield file


def nearest_path(path: str | Path) -> str:
    """What a path that leads nowhere may have been meant to be, as ` (did you mean demo.toml?)`.

    The first part of it that is not there is taken for the nearest name in its folder; empty where
    none is near.
    """
    whole = Path(path)
    ways = [here for here in (whole, *whole.parents) if here.name and not os.path.lexists(here)]
    if not ways:
        return ""
    wrong = ways[-1]
    names: list[str] = []
    with suppress(OSError), os.scandir(wrong.parent) as entries:
        names = sorted(entry.name for entry in islice(entries, MOST_NAMES))
    names.sort(key=lambda name: Path(name).suffix == wrong.suffix)  # one of its kind wins
    stems = {Path(name).stem: name for name in names}
    near = nearest(wrong.stem, stems)
    if near is None:
        return ""
    meant = wrong.with_name(stems[near])
    whole = meant / whole.relative_to(wrong)
    return f" (did you mean {whole if whole.exists() else meant}?)"


def _refuse_kind(path: str | Path, mode: int) -> None:
    kind = kind_of(mode)
    if kind is not None:
        raise InputError(f"{path}: is {kind}, not a file to read")


def bytes_of(path: str | Path, most_bytes: int = MOST_BYTES) -> bytes:
    """All of a file of at most `most_bytes` bytes.  Raises InputError as `opened` does."""
    with opened(path, most_bytes) as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:  # grown since, or one of the system's that have no size
        raise InputError(f"{path}: has more than the {most_bytes / 1e6:.0f} MB of any such file")
    return content


def text_of(path: str | Path, most_bytes: int = MOST_BYTES) -> str:
    """All of a file of at most `most_bytes` bytes as text, lines ended by a newline alone and
    without the byte order mark that spreadsheets and some editors begin a file with.

    Raises InputError as `opened` does, and where it is not UTF-8.
    """
    text = as_written(path, most_bytes).removeprefix(MARK)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def as_written(path: str | Path, most_bytes: int = MOST_BYTES) -> str:
    """All of a file of at most `most_bytes` bytes as text, its lines ended as they are in it.

    Raises InputError as `text_of` does.
    """
    try:
        return bytes_of(path, most_bytes).decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a UTF-8 text file") from None
