"""One input of a door, with all that lies in the folder where it is run."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Case:
    """A command line of one door, and the files that are there before it.

    `nodes` are what is there and no file: `fifo`, `folder`, `zero` (a device that never ends),
    `shut` (a folder nobody writes into) or `-> TARGET`.  Success may leave `outputs` (files, and
    folders with what is in them); a refusal leaves nothing.  `refused`: it has to be one.
    `rows`: what its JSON has to be (None: anything); it may say the `impossible` where a number
    that was read stands in it as it is.
    """

    door: str
    arguments: tuple[str, ...]
    files: Mapping[str, bytes] = field(default_factory=dict)
    nodes: Mapping[str, str] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    refused: bool = False
    rows: Any = None
    impossible: bool = False

    def __str__(self) -> str:
        return shlex.join(["python", "-m", self.door, *self.arguments])

    def lay_out(self, folder: Path) -> None:
        """Put the files and nodes into an empty folder."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        for name, kind in self.nodes.items():
            make_node(folder / name, kind)


def make_node(path: Path, kind: str) -> None:
    """Something at `path` that is no regular file, as `Case.nodes` names it."""
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "zero":
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))
    elif kind == "folder":
        path.mkdir()
    elif kind == "shut":
        path.mkdir(mode=0o500)
    else:
        path.symlink_to(kind.removeprefix("-> "))
