"""From a path to images: which kind of directory it is, and its content."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Protocol

from gpu.images.cifar import Cifar
from gpu.images.image_folder import ImageFolder
from gpu.images.labelled import DataError, Images


class Source(Protocol):
    """A directory whose classes are known and whose pixels are still to be read."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; a label is a place among them."""

    def load(self, side: int, limit: int | None = None) -> Images:
        """Read the pixels, for images of `side` pixels a side: at most `limit` to train on and a
        quarter of that to validate.  Raises DataError."""


@lru_cache(maxsize=4)
def scan(path: Path) -> Source:
    """What a directory holds: CIFAR-10's files, or a subfolder of images for each class.

    Raises DataError where it is missing, empty or neither.
    """
    try:
        if not path.exists():
            raise DataError(f"{path}: there is no such directory")
        if not path.is_dir():
            raise DataError(f"{path}: not a directory")
        if not any(path.iterdir()):
            raise DataError(f"{path}: an empty directory")
        return Cifar.scan(path) or ImageFolder.scan(path)
    except OSError as error:
        raise DataError(f"{error.filename or path}: {error.strerror}") from None


@lru_cache(maxsize=2)
def load(path: Path, side: int, limit: int | None = None) -> Images:
    """The images at `path`, at most `limit` to train on, kept for the next run that asks.

    Files of any size are decoded at `side` pixels a side.  Raises DataError.
    """
    if limit is not None and limit < 1:
        raise DataError(f"the limit of training images is at least 1, got {limit}")
    return scan(path).load(side, limit)


def class_count(data: str | None, asked: int | None) -> int | None:
    """Classes of a network's output: those asked for, else the data's; None: as many as is usual.

    Raises DataError where the data has more than were asked for.
    """
    if data is None:
        return asked
    found = len(scan(Path(data)).classes)
    if asked is not None and asked < found:
        raise DataError(f"{data}: {found} classes, asked for {asked}")
    return asked or found


def images_at(data: str | None, side: int, limit: int | None) -> Images | None:
    """The images of a data directory; None without one.  Raises DataError."""
    return None if data is None else load(Path(data), side, limit)
