"""`python -m tests.docs.api DIR`: the API reference of the four packages; a warning is an error.

Modules of the commands are left out: they are documented by `--help`.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pkgutil
import sys
import typing
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

PACKAGES = ("sim", "analysis", "figures", "gpu")
UNREAD = ("commands", "__main__")
HIDDEN = tuple(f"!{package}.{name}" for package in PACKAGES for name in UNREAD)


def modules() -> Iterator[ModuleType]:
    """Every module that is documented, imported."""
    for package in PACKAGES:
        top = importlib.import_module(package)
        yield top
        for found in pkgutil.walk_packages(top.__path__, f"{package}."):
            if found.name.split(".")[1] not in UNREAD:
                yield importlib.import_module(found.name)


def prepare(module: ModuleType) -> None:
    """Make a module what pdoc can read.

    Names imported when first used are imported; constructors of named tuples get types for the
    text that they keep without its module.
    """
    for name in getattr(module, "__all__", ()):
        getattr(module, name)
    for each in vars(module).values():
        if isinstance(each, type) and hasattr(each, "_fields") and issubclass(each, tuple):
            each.__annotations__.update(typing.get_type_hints(each))


@contextlib.contextmanager
def told_apart(found: list[ModuleType]) -> Iterator[None]:
    """Meanwhile modules are nothing else, and one that says what is in it names its rooms too."""
    kinds, listed = [type(each) for each in found], [vars(each).get("__all__") for each in found]
    for each, names in zip(found, listed, strict=True):
        each.__class__ = ModuleType
        if names is not None:
            each.__all__ = [*names, *(room for room in rooms(each) if room not in names)]
    try:
        yield
    finally:
        for each, kind, names in zip(found, kinds, listed, strict=True):
            each.__class__ = kind
            if names is not None:
                each.__all__ = names


def rooms(package: ModuleType) -> list[str]:
    """The modules in a package, by their own names."""
    return [found.name for found in pkgutil.iter_modules(getattr(package, "__path__", ()))
            if found.name not in UNREAD]


def write(folder: Path) -> list[str]:
    """HTML pages of every public module into `folder`; what pdoc warned of, each once."""
    os.environ["PDOC_DISPLAY_ENV_VARS"] = "1"  # else it takes the folder we are in for a secret
    import pdoc

    found = list(modules())
    for module in found:
        prepare(module)
    with warnings.catch_warnings(record=True) as caught, told_apart(found):
        warnings.simplefilter("always", UserWarning)
        pdoc.render.configure(docformat="markdown", search=True)
        pdoc.pdoc(*PACKAGES, *HIDDEN, output_directory=folder)
    return sorted({str(each.message) for each in caught})


if __name__ == "__main__":
    told = write(Path(sys.argv[1]))
    print(*told, f"{sys.argv[1]}/index.html written, {len(told)} warnings", sep="\n")
    sys.exit(bool(told))
