"""Arrays out of a NumPy archive (`.npz`), each looked at before any of it is in memory.

An array is read where its name, type and length are those asked for; what nobody asks for stays
unread, however large it is.  No object is ever made from what a file says.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from sim.errors import TraceError
from sim.files.reading import opened
from sim.free_memory import SMALL, free_bytes

TEXT_BYTES = 1 << 28  # of a header: four for each letter
PIECE_BYTES = 1 << 18  # read at a time: what stays near the processor
SUFFIX = ".npy"


class Archive:
    """An open archive of arrays, `names` in their order.

    Whatever is wrong with an array is a TraceError that begins with its name.
    """

    def __init__(self, file: ZipFile) -> None:
        self._file = file
        self.names = [name.removesuffix(SUFFIX) for name in file.namelist()
                      if name.endswith(SUFFIX)]

    def text(self, name: str) -> str:
        """The text in an array that holds a single one.  Raises ValueError where it is none."""
        with self._member(name) as (member, shape, kind):
            if shape != () or kind.kind != "U" or kind.itemsize > TEXT_BYTES:
                raise ValueError(f"{name}: a text, got {_told(shape, kind)}")
            return str(_filled(member, name, (), kind))

    def rows(self, name: str) -> int:
        """The length of an array of one dimension.  Raises TraceError where it has more."""
        with self._member(name) as (_, shape, kind):
            if len(shape) != 1:
                raise TraceError(f"column {name}: one dimension, got {_told(shape, kind)}")
            return shape[0]

    def column(self, name: str, dtype: str, rows: int) -> NDArray[Any]:
        """An array of shape (rows,) and exactly that type.  Raises TraceError for any other."""
        with self._member(name) as (member, shape, kind):
            if kind != np.dtype(dtype):
                raise TraceError(f"column {name}: {dtype}, got {kind}")
            if shape != (rows,):
                raise TraceError(f"column {name}: {rows} rows as op has, got {_told(shape, kind)}")
            return _filled(member, name, shape, kind)

    def curve(self, name: str, most: int) -> NDArray[Any]:
        """An array of shape (points,) with at most so many numbers.

        Raises TraceError for any other.
        """
        with self._member(name) as (member, shape, kind):
            if len(shape) != 1 or shape[0] > most or kind not in (np.float64, np.int64):
                raise TraceError(f"{name}: at most {most} numbers, float64 or int64, got "
                                 f"{_told(shape, kind)}")
            return _filled(member, name, shape, kind)

    @contextmanager
    def _member(self, name: str) -> Iterator[tuple[IO[bytes], tuple[int, ...], np.dtype[Any]]]:
        """An array's file behind its own header, and the shape and type that this gives."""
        with self._file.open(name + SUFFIX) as member:
            version = np.lib.format.read_magic(member)
            read = {(1, 0): np.lib.format.read_array_header_1_0,
                    (2, 0): np.lib.format.read_array_header_2_0}[version]
            shape, _, kind = read(member)
            yield member, shape, kind


def _told(shape: tuple[int, ...], kind: np.dtype[Any]) -> str:
    return f"{kind} of shape {shape}"


def _filled(member: IO[bytes], name: str, shape: tuple[int, ...], kind: np.dtype[Any]
            ) -> NDArray[Any]:
    """The array that the rest of a member holds, which is to be exactly as long as that.

    To read behind the end also has the member's check sum compared.
    """
    values = np.empty(shape, kind)
    left = memoryview(values.reshape(-1).view(np.uint8).data)
    while left and (more := member.read(min(len(left), PIECE_BYTES))):
        left[:len(more)] = more
        left = left[len(more):]
    if left or member.read(1):
        raise TraceError(f"{name}: not as long as it says")
    return values


@contextmanager
def archive(path: str | Path) -> Iterator[Archive]:
    """The archive in a file while it is open.  Raises InputError where there is no such file."""
    with opened(path, most_bytes=None) as file, ZipFile(file) as inside:
        yield Archive(inside)


def check_fits(rows: int, row_bytes: int) -> None:
    """Refuse columns, of `row_bytes` bytes a row, for which not enough memory is free.

    Raises TraceError.
    """
    size = rows * row_bytes
    if size > SMALL and size > (free := free_bytes()):
        raise TraceError(f"{rows} rows take {size / 1e9:.3g} GB, and {free / 1e9:.3g} GB of "
                         "memory are free")
