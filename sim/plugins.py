"""Code of others that registers things here: entry points of distributions, and single files.

Whatever goes wrong in it is the user's to mend, so it becomes one line that names the plugin.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from sim.errors import ConfigurationError
from sim.files.reading import nearest_path

FILES = "PIPESTALE_PLUGINS"  # an environment variable, so that worker processes have them too
_running: list[str] = []  # what is being loaded, outermost first
_outcomes: dict[str, ConfigurationError | None] = {}  # of what has been loaded: None, it worked


def add_plugin(path: str | Path) -> None:
    """Load a Python file here, and in every process that this one starts from now on.

    Raises ConfigurationError where there is no such file or it does not run.
    """
    file = str(Path(path).absolute())
    known = plugins()
    if file not in known:
        os.environ[FILES] = os.pathsep.join([*known, file])
    load_plugins()


def plugins() -> list[str]:
    """The plugin files given so far, in the order they were given."""
    return [file for file in os.environ.get(FILES, "").split(os.pathsep) if file]


def loading() -> bool:
    """Whether a plugin is being loaded right now, so that its code is what is running."""
    return bool(_running)


def load_plugins() -> None:
    """Run each plugin file that has been given and has not run in this process.

    Raises ConfigurationError for a file that does not run.
    """
    for file in plugins():
        _once(f"--plugin {file}", _run_file, file)


def load_entry_points(group: str) -> None:
    """Import what installed distributions offer to a group of entry points.

    Raises ConfigurationError for an offer that cannot be imported.
    """
    for what, target in _entry_points(tuple(sys.path)).get(group, ()):
        _once(what, _import, target)


@cache
def _entry_points(path: tuple[str, ...]) -> dict[str, list[tuple[str, str]]]:
    """What each offer is called in a message, and its target, by group; looked for once a path."""
    from importlib.metadata import entry_points

    offers = entry_points()
    return {group: [(f"plugin {each.name} = {each.value}"
                     + (f" of {each.dist.name}" if each.dist else ""), each.value)
                    for each in offers.select(group=group)]
            for group in offers.groups if group.startswith("pipestale.")}


def _once(what: str, load: Callable[[str], None], target: str) -> None:
    """Load a target the first time it is asked for; a broken one gives its error every time."""
    if what not in _outcomes:
        _outcomes[what] = None  # it may look up names itself, which must not load it again
        _running.append(what)
        try:
            load(target)
        except Exception as error:
            said = error.strerror if isinstance(error, OSError) and error.filename else None
            line = " ".join((said or f"{type(error).__name__}: {error}").split())
            if isinstance(error, FileNotFoundError) and said:
                line += nearest_path(error.filename)
            _outcomes[what] = ConfigurationError([f"{what}: {line}"])
        finally:
            _running.pop()
    failure = _outcomes[what]
    if failure is not None:
        raise failure


def _import(target: str) -> None:
    """`package.module` or `package.module:attribute`."""
    module, _, attributes = target.partition(":")
    here: object = importlib.import_module(module)
    for attribute in filter(None, attributes.split(".")):
        here = getattr(here, attribute)


def _run_file(path: str) -> None:
    """Run a file as a module of its own, under a name that no import gives."""
    name = f"pipestale_plugin_{Path(path).stem}_{len(_outcomes)}"
    spec = importlib.util.spec_from_file_location(name, path)
    odd = os.path.exists(path) and not os.path.isfile(path)  # a pipe would be waited for
    if spec is None or spec.loader is None or odd:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look for the types of their fields
    spec.loader.exec_module(module)
