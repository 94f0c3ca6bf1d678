"""Finding schedules, mitigations and tasks by name: one file each, no list to edit."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Registry(Generic[T]):
    """Names to items, filled by whatever the modules of one package register when imported.

    Modules are imported on the first look-up, so a new file in the package's folder (or in a
    folder appended to the package's `__path__`) is found without any edit.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind, self.package = kind, package
        self._items: dict[str, T] = {}

    def register(self, name: str, item: T) -> T:
        """Add `item`.  Raises ValueError when another item has that name."""
        if name in self._items:
            raise ValueError(f"{self.kind} {name!r} is registered twice")
        self._items[name] = item
        return item

    def names(self) -> list[str]:
        """Every name, sorted."""
        package = importlib.import_module(self.package)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self.package}.{module.name}")
        return sorted(self._items)

    def __contains__(self, name: object) -> bool:
        return name in self._items or name in self.names()

    def __iter__(self) -> Iterator[T]:
        return (self._items[name] for name in self.names())

    def __getitem__(self, name: str) -> T:
        if name not in self._items and name not in self.names():
            raise ValueError(f"{self.kind} {name!r} is unknown; choose from "
                             f"{', '.join(self.names())}")
        return self._items[name]
