"""`python -m tests.docs.api DIR`: the API reference of the four packages; a warning is an error.

Modules of the commands are left out: they are documented by `--help`.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
import typing
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

PACKAGES = ("sim", "analysis", "figures", "gpu")
HIDDEN = tuple(f"!{package}.{name}" for package in PACKAGES for name in ("commands", "__main__"))


def modules() -> Iterator[ModuleType]:
    """Every module that is documented, imported."""
    for package in PACKAGES:
        top = importlib.import_module(package)
        yield top
        for found in pkgutil.walk_packages(top.__path__, f"{package}."):
            if found.name.split(".")[1] not in ("commands", "__main__"):
                yield importlib.import_module(found.name)


def resolve_named_tuples() -> None:
    """Their constructors keep types as text, without the module in which it means something."""
    for module in modules():
        for each in vars(module).values():
            if isinstance(each, type) and hasattr(each, "_fields") and issubclass(each, tuple):
                each.__annotations__.update(typing.get_type_hints(each))


def write(folder: Path) -> list[str]:
    """HTML pages of every public module into `folder`; what pdoc warned of, each once."""
    import pdoc

    resolve_named_tuples()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        pdoc.render.configure(docformat="markdown", search=True)
        pdoc.pdoc(*PACKAGES, *HIDDEN, output_directory=folder)
    return sorted({str(each.message) for each in caught})


if __name__ == "__main__":
    told = write(Path(sys.argv[1]))
    print(*told, f"{sys.argv[1]}/index.html written, {len(told)} warnings", sep="\n")
    sys.exit(bool(told))
