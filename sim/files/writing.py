"""Files and folders that are written: looked at before the work, then complete or not there at all.

A door asks `check_file` or `check_folder` before it begins, so that nobody waits for a run whose
result has nowhere to go.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import stat
import threading
from contextlib import suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Any

from sim.errors import MistakeError, OutputError
from sim.files.kinds import kind_of
from sim.rows import plain

ENDINGS = (signal.SIGTERM, signal.SIGHUP)  # what ends a process that does not listen


def check_file(path: str | Path) -> Path:
    """The file that writing to `path` would make or replace: where a link leads, the link's target.

    Only a regular file is replaced, and only where it and its folder may be written to; a new one
    may also be in a folder that can be made.  Nothing is written.  Raises OutputError otherwise.
    """
    target = _led(path)
    try:
        mode = target.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        mode = None
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}") from None
    if mode is not None:
        kind = kind_of(mode)
        if kind is not None:
            raise OutputError(f"{path}: is {kind}, not a file to write")
        if not os.access(target, os.W_OK):
            raise OutputError(f"{path}: may not be written to")
    _check_home(path, target.parent)
    return target


def check_folder(path: str | Path) -> Path:
    """The folder that files would be written into, where it is there or can be made.

    Nothing is written.  Raises OutputError otherwise.
    """
    target = _led(path)
    _check_home(path, target)
    return target


def _led(path: str | Path) -> Path:
    """Where a path leads, links followed.  Raises OutputError for one that no file can have."""
    if not str(path):
        raise OutputError("'': an empty name")
    try:
        return Path(os.path.realpath(path))
    except (OSError, ValueError) as error:
        raise OutputError(f"{path}: {getattr(error, 'strerror', None) or error}") from None


def _check_home(path: str | Path, folder: Path) -> None:
    """Make sure that a file can be made in a folder, which may have to be made first."""
    try:
        there = next(each for each in (folder, *folder.parents) if each.exists())
    except OSError as error:  # a name that is too long, a link that leads to itself
        raise OutputError(f"{path}: {error.strerror}") from None
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(f"{path}: {there} is no folder that can be written to")


class atomic_file:  # noqa: N801 - used as a function
    """A binary file that appears under its name complete, or not at all.

    Until it is complete it has another name in the same folder, which is gone whatever ends the
    writing: an error, Ctrl-C, SIGTERM.  A new file has the permissions that the umask leaves, one
    that is replaced keeps its own.  Raises OutputError, naming the file that was asked for, where
    it cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = path

    def __enter__(self) -> IO[bytes]:
        self.target = check_file(self.path)
        self.temporary = self.target.with_name(f".pipestale-{secrets.token_hex(8)}")
        self._listening: dict[signal.Signals, Any] = {}
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            self._listen()
            self.handle: IO[bytes] = os.fdopen(os.open(
                self.temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), "wb")
        except OSError as error:
            self._leave()
            raise self._mistake(error) from None
        except BaseException:
            self._leave()
            raise
        return self.handle

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        try:
            self._finish(error)
        except OSError as failure:
            raise self._mistake(failure) from None
        finally:
            self._leave()

    def _finish(self, error: BaseException | None) -> None:
        """Give the complete file its name.  Raises OSError where the disk does not take it."""
        if error is not None:
            self._drop()
            named = isinstance(error, MistakeError) or getattr(error, "filename", None)
            if isinstance(error, OSError) and not named:
                raise error  # of the writing itself
            return
        self.handle.close()
        if self.target.exists():
            os.chmod(self.temporary, stat.S_IMODE(self.target.stat().st_mode))
        os.replace(self.temporary, self.target)

    def _drop(self) -> None:
        """Close a file that is given up; what it could not write is no further matter."""
        with suppress(OSError):
            self.handle.close()

    def _leave(self) -> None:
        """What has no name of its own is gone, and signals do again what they did."""
        self.temporary.unlink(missing_ok=True)
        for each, before in self._listening.items():
            signal.signal(each, before)

    def _listen(self) -> None:
        """While the file is written, a signal that would end the process removes it first.

        One that somebody listens to is left to them.
        """
        if threading.current_thread() is threading.main_thread():
            for each in ENDINGS:
                if signal.getsignal(each) is signal.SIG_DFL:
                    self._listening[each] = signal.signal(each, self._end)

    def _end(self, number: int, _: FrameType | None) -> None:
        self._leave()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def _mistake(self, error: OSError) -> OutputError:
        return OutputError(f"{self.path}: {error.strerror or error}")


def write_whole(path: str | Path, content: bytes) -> None:
    """Write a file whole or not at all.  Raises OutputError."""
    with atomic_file(path) as file:
        file.write(content)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file, as UTF-8, whole or not at all.  Raises OutputError."""
    write_whole(path, text.encode())


def write_json(path: str | Path, values: Any, indent: int = 2) -> None:
    """Write a JSON file whole or not at all; numbers that are not finite become null.

    Raises OutputError.
    """
    write_text(path, json.dumps(plain(values), indent=indent, allow_nan=False) + "\n")
