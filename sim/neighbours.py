"""Making sure that `import sim` means this simulator: other code may use so short a name as well.

Beside another `sim` one of the two is always hidden, and whose `sim.run` a program calls depends
on the order of its path.  So that is refused while it is only a possibility.
"""

from __future__ import annotations

import os
import sys

# The folder that holds this package and its neighbours, which look for theirs here
HOME = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
NEIGHBOURS = ("analysis", "figures", "gpu")


def refuse_foreign() -> None:
    """Refuse to work where Python's path leads to another package called `sim`.

    Another copy of this very project is none: the whole of it is hidden by the first.  Raises
    ImportError, which names both files.
    """
    for folder in dict.fromkeys(os.path.realpath(each or os.getcwd()) for each in sys.path):
        if folder == HOME:
            continue
        for file in ("sim/__init__.py", "sim.py"):
            other = os.path.join(folder, file)
            if os.path.isfile(other) and not _is_a_copy(folder):
                raise ImportError(f"two packages are called sim: pipestale's {HOME}/sim/"
                                  f"__init__.py and {other}; keep one of them off the path")


def _is_a_copy(folder: str) -> bool:
    return all(os.path.isfile(os.path.join(folder, each, "__init__.py")) for each in NEIGHBOURS)
