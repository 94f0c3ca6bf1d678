"""The journal of a sweep: a line per finished point, safe against being killed at any moment."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any

from sim.errors import ConfigurationError
from sim.files.writing import check_file

FORMAT, VERSION = "pipestale-sweep", 1
Record = dict[str, Any]


class Journal:
    """A sweep's finished points on disk: a header, then a line of JSON per point in any order.

    Only ever appended to.  `records` has those found when it was opened and those added since, by
    point.  A last line without an end was being written when its writer was killed: it is cut off.
    One writer at a time.  Raises ConfigurationError for the journal of another sweep, or one in
    use, OutputError where it is no file that can be written.
    """

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self.path, self.records = path, dict[int, Record]()
        self._header = {"format": FORMAT, "version": VERSION, **header}

    def __enter__(self) -> Journal:
        check_file(self.path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            self._claim()
            self._load()
        except BaseException:
            os.close(self._file)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        os.close(self._file)

    def add(self, record: Record) -> None:
        """Append one point's record; when this returns it is on the disk."""
        self._append(record)
        self.records[record["point"]] = record

    def _claim(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError([f"{self.path}: another sweep is writing to it"]) from None

    def _load(self) -> None:
        text = self.path.read_bytes()
        whole = text.rfind(b"\n") + 1
        if whole < len(text):
            os.ftruncate(self._file, whole)
        first, *lines = text[:whole].splitlines() or [b""]
        if not first:
            self._append(self._header)
            return
        self._check(_parsed(first))
        for record in filter(None, map(_parsed, lines)):
            self.records.setdefault(record["point"], record)

    def _check(self, found: dict[str, Any] | None) -> None:
        """Refuse to go on with what another sweep began."""
        if found is None or found.get("format") != FORMAT or found.get("version") != VERSION:
            raise ConfigurationError([f"{self.path}: not a journal this version can read; choose "
                                      "another --out"])
        if found.get("fingerprint") != self._header.get("fingerprint"):
            raise ConfigurationError([f"{self.path}: begun by another sweep (other keys, values, "
                                      "experiment, seeds or profile); choose another --out"])
        other = [f"{self.path}: {name} was {found.get(name)!r} where it was begun, now {value!r}; "
                 "choose another --out"
                 for name, value in self._header.items() if found.get(name) != value]
        if other:
            raise ConfigurationError(other)

    def _append(self, value: dict[str, Any]) -> None:
        line = (json.dumps(value, allow_nan=False) + "\n").encode()
        while line:
            line = line[os.write(self._file, line):]
        os.fsync(self._file)


def _parsed(line: bytes) -> dict[str, Any] | None:
    """A line's object; None for what a crash of the machine left in its place."""
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
