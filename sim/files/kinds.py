"""What is found under a path in place of a regular file."""

from __future__ import annotations

import stat

KINDS = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"),
         (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"))


def kind_of(mode: int) -> str | None:
    """What the mode of an existing path says that it is instead of a file; None for a file."""
    return next((name for test, name in KINDS if test(mode)), None)
