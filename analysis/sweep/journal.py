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
FIELDS = ("point", "settings", "error", "report")
DIED = "WorkerDied"  # the kind of error that is no result of a point: its worker died
Record = dict[str, Any]


class Journal:
    """A sweep's finished points on disk: a header, then a line of JSON per point in any order.

    Only ever appended to.  `records` has those found when it was opened and those added since, by
    point.  A last line without an end was being written when its writer was killed: it is cut off.
    Whole lines that are no record of a point are left alone, and `damaged` says how many; a point
    whose worker died counts as not done.  One writer at a time.  A sweep that ends in an error
    before its first point leaves no journal, and one without a point holds up no other sweep.
    Raises ConfigurationError for the journal of another sweep, or one in use, OutputError where
    it is no file that can be written.
    """

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self.path, self.records, self.damaged = path, dict[int, Record](), 0
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
        if isinstance(error, Exception) and not self.records and not self.damaged:
            self.path.unlink(missing_ok=True)
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
        found = _parsed(first)
        if first and (found is None or found.get("format") != FORMAT
                      or found.get("version") != VERSION):
            raise ConfigurationError([f"{self.path}: not a journal this version can read; choose "
                                      "another --out"])
        if not lines:  # nothing of any sweep's is lost
            os.ftruncate(self._file, 0)
            self._append(self._header)
            return
        self._check(found or {})
        for line in lines:
            record = _parsed(line)
            if record is None or not is_record(record, self._header["points"]):
                self.damaged += 1
            elif not _is_death(record):
                self.records.setdefault(record["point"], record)

    def _check(self, found: dict[str, Any]) -> None:
        """Refuse to go on with what another sweep began."""
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


def is_record(value: dict[str, Any], points: int) -> bool:
    """Whether an object is the record of one of so many points: all fields, and of their types."""
    point, settings, error, report = map(value.get, FIELDS)
    if value.keys() != set(FIELDS) or type(point) is not int or not 0 <= point < points:
        return False
    if not isinstance(settings, dict) or (error is None) == (report is None):
        return False
    if error is None:
        return isinstance(report, dict)
    return isinstance(error, dict) and all(isinstance(error.get(name), str)
                                           for name in ("kind", "message"))


def _is_death(record: Record) -> bool:
    return record["error"] is not None and record["error"]["kind"] == DIED


def _parsed(line: bytes) -> dict[str, Any] | None:
    """A line's object; None for what a crash of the machine, or somebody, left in its place."""
    try:
        value = json.loads(line, parse_constant=_no_number, parse_int=_countable)
    except (ValueError, OverflowError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _countable(digits: str) -> int:
    """A whole number that a mean can be taken of: no sweep writes one beyond any float."""
    float(value := int(digits))
    return value


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")
