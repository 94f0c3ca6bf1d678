"""A rank's process as it announces itself on the store, so that a hanging one can be ended.

What stands on the store is text that anybody who reaches it may have written.  A process is ended
only where the announcement's host is this very one, since it was started, and where the process of
that number began when the announcement says.
"""

from __future__ import annotations

import os
import signal
import socket
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
BEGAN = 19  # place of a process's start (clock ticks since the boot) behind its name in `stat`


@dataclass(frozen=True)
class Process:
    """A process on a host: `host` tells boots and containers apart, `began` uses of a number.

    `began` is empty where the system does not say.
    """

    host: str
    number: int
    began: str

    @classmethod
    def own(cls) -> Process:
        """This process."""
        return cls(host(), os.getpid(), began(os.getpid()))

    @classmethod
    def read(cls, text: str) -> Process | None:
        """The process that a text announces; None for any other text."""
        words = text.split()
        if len(words) not in (2, 3) or not words[1].isdecimal() or len(words[1]) > 10:
            return None
        return cls(words[0], int(words[1]), words[2] if len(words) == 3 else "")

    def __str__(self) -> str:
        return f"{self.host} {self.number} {self.began}".rstrip()

    def end(self) -> str:
        """End the process if it is on this host and still the one announced; what became of it."""
        name = self.host.partition("/")[0]
        if self.host != host():
            return f"end process {self.number} on {name} if it is still there"
        if self.number in (0, 1, os.getpid()) or began(self.number) != self.began:
            return f"its process {self.number} is gone"
        try:
            os.kill(self.number, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return f"its process {self.number} is gone"
        return f"its process {self.number} was stopped or hanging and has been ended"


def host() -> str:
    """This host by name, boot and room of process numbers (a container has its own)."""
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
        room = os.stat(PROC / "self/ns/pid").st_ino
    except OSError:
        return socket.gethostname()
    return f"{socket.gethostname()}/{boot}/{room}"


def began(number: int) -> str:
    """When a process began, as its system counts; empty where there is none, or nobody says."""
    try:
        return (PROC / str(number) / "stat").read_text().rpartition(")")[2].split()[BEGAN]
    except (OSError, IndexError):
        return ""
