"""Finding schedules, mitigations, tasks … by name: one file each, no list to edit.

What another distribution registers is found by its entry points: of the group
`pipestale.schedules` for the package `sim.schedules`, and so on.  An entry point names a module,
or something in one, and importing it registers it, through the decorator that the files here use.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Generic, TypeVar

from sim.errors import ConfigurationError, unknown
from sim.plugins import add_plugin, load_entry_points, load_plugins, loading

__all__ = ["Registry", "Shelf", "add_plugin", "readable"]

T = TypeVar("T")


class Registry(Generic[T]):
    """A mapping from names to items, which the modules of one package fill when imported.

    Modules are imported on the first look-up, so a new file in the package's folder or a room of
    it (or in a folder appended to the package's `__path__`) is found without any edit; then come
    the entry points of other distributions and the files given to `--plugin`.

    >>> from sim.schedules import SCHEDULES
    >>> SCHEDULES["gpipe"].name
    'gpipe'
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind, self.package = kind, package
        self._items: dict[str, T] = {}
        self._filled: tuple[str, ...] = ()  # folders whose modules are imported, or being so

    @property
    def group(self) -> str:
        """The group of entry points that others offer items in, such as `pipestale.schedules`."""
        return f"pipestale.{self.package.rpartition('.')[2]}"

    def register(self, name: str, item: T) -> T:
        """Add `item` under `name` and return it.

        Raises ConfigurationError when another item has that name.
        """
        if loading() and not self._filled:
            self._fill()  # so that the error about a name in use is the plugin's
        if name in self._items:
            raise ConfigurationError([f"{self.kind} {name!r} is registered twice"])
        self._items[name] = item
        return item

    def names(self) -> list[str]:
        """Every registered name, sorted.  Raises ConfigurationError for a plugin that is broken."""
        self._fill()
        load_entry_points(self.group)
        load_plugins()
        return sorted(self._items)

    def _fill(self) -> None:
        package = importlib.import_module(self.package)
        path = tuple(package.__path__)
        if path != self._filled:  # looking into folders takes longer than all else of a look-up
            self._filled = path
            _import_modules(package)

    def __contains__(self, name: object) -> bool:
        return name in self._items or name in self.names()

    def __iter__(self) -> Iterator[T]:
        return (self._items[name] for name in self.names())

    def __len__(self) -> int:
        return len(self.names())

    def __getitem__(self, name: str) -> T:
        if name not in self._items and name not in self.names():
            raise ConfigurationError([unknown(self.kind, name, self.names())])
        return self._items[name]

    def __repr__(self) -> str:
        return f"<{len(self)} {self.package.rpartition('.')[2]}: {', '.join(self.names())}>"


def _import_modules(package: ModuleType) -> None:
    """Import every module of a package, and of the rooms in it."""
    for module in pkgutil.iter_modules(package.__path__):
        found = importlib.import_module(f"{package.__name__}.{module.name}")
        if module.ispkg:
            _import_modules(found)


class Shelf(ModuleType):
    """A package that can be read like the registry its modules fill.

    So `sim.schedules` is both: the package other code imports from, and what is in it.
    """

    _registry: Registry[Any]

    def names(self) -> list[str]:
        """Every name registered in the package, sorted."""
        return self._registry.names()

    def __contains__(self, name: object) -> bool:
        return name in self._registry

    def __iter__(self) -> Iterator[Any]:
        return iter(self._registry)

    def __len__(self) -> int:
        return len(self._registry)

    def __bool__(self) -> bool:
        return True  # as of any module, without importing what is in it

    def __getitem__(self, name: str) -> Any:
        return self._registry[name]

    def __repr__(self) -> str:
        return repr(self._registry)


def readable(registry: Registry[Any]) -> None:
    """Turn the package that fills `registry` into a `Shelf`, to be read like the registry."""
    package = sys.modules[registry.package]
    package.__class__ = Shelf
    package._registry = registry  # type: ignore[attr-defined]
