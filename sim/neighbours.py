"""What the four packages share when they are imported: whose `sim` it is, and names found late.

Other code may use so short a name as `sim` as well.  Beside another `sim` one of the two is always
hidden, and whose `sim.run` a program calls depends on the order of its path.  So that is refused
while it is only a possibility.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

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


def found_when_used(package: str, homes: Mapping[str, str]
                    ) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """A package's `__getattr__` and `__dir__` that import what they offer when it is first used.

    `homes` says in which module each public name is; a name whose home is the package's own module
    of that name is that module.  Source: PEP 562.
    """
    def getattr_(name: str) -> Any:
        if name not in homes:
            from sim.errors import did_you_mean

            near = "" if name.startswith("_") else did_you_mean(name, homes)
            raise AttributeError(f"module {package!r} has no attribute {name!r}{near}")
        from importlib import import_module

        module = import_module(homes[name])
        found = module if homes[name] == f"{package}.{name}" else getattr(module, name)
        setattr(sys.modules[package], name, found)
        return found

    def dir_() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return getattr_, dir_
