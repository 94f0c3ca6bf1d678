"""Help comes at once: no door imports a heavy library to print it."""

import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module

import click
import pytest

HEAVY = {"numpy", "scipy", "matplotlib", "simpy", "pydantic", "rich", "torch", "joblib", "sklearn"}
DOORS = ("sim", "analysis", "figures", "gpu")
CONSOLE = "sim.commands.pipestale"
LOADED = """
import runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
except SystemExit as end:
    code = end.code
print("loaded", code, *sorted({name.partition(".")[0] for name in sys.modules}))
"""


def commands() -> Iterator[list[str]]:
    """Every door, every command behind it, and all of them behind the console command."""
    for room in DOORS:
        yield [room]
        door = getattr(import_module(f"{room}.__main__"), "main", None)
        if isinstance(door, click.Group):
            yield from ([room, name] for name in door.commands)
    yield from ([CONSOLE, *door] for door in ([], ["sim"], ["gpu", "validate"], ["figures"]))


def loaded(*arguments: str) -> tuple[str, str, set[str]]:
    """What was printed, the exit code, and the packages in memory at the end."""
    done = subprocess.run([sys.executable, "-c", LOADED, *arguments], capture_output=True,
                          text=True, check=True)
    shown, _, rest = done.stdout.rpartition("loaded ")
    code, *packages = rest.split()
    return shown, code, set(packages)


def test_every_command_is_asked():
    asked = list(commands())
    assert {room for room, *_ in asked} == {*DOORS, CONSOLE}
    assert ["sim", "compare"] in asked
    assert ["analysis", "report"] in asked
    assert ["gpu", "validate"] in asked


@pytest.mark.parametrize("arguments", list(commands()), ids=" ".join)
def test_help_imports_no_heavy_library(arguments):
    shown, code, packages = loaded(*arguments, "--help")
    assert code == "0"
    assert shown.startswith("Usage: ")
    assert "click" in packages
    assert not packages & HEAVY


def test_a_command_that_works_is_seen_to_import_them():
    _, code, packages = loaded("sim", "list")
    assert code in ("None", "0")
    assert {"numpy", "rich"} <= packages


def test_the_console_command_tells_its_version_and_a_mistake():
    shown, code, packages = loaded(CONSOLE, "--version")
    assert (shown, code) == ("pipestale, version 0.1.0\n", "0")
    assert not packages & HEAVY
    assert loaded(CONSOLE, "sim", "run", "--set", "stages=x")[1] == "2"
