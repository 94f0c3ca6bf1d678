"""Imports between the rooms go one way: figures → analysis → sim ← gpu.

A room's `__main__` may call another room's public functions, lazily.
"""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "sim": {"sim"},
    "analysis": {"analysis", "sim"},
    "figures": {"figures", "analysis", "sim"},
    "gpu": {"gpu", "sim"},
}
ROOMS = sorted(MAY_IMPORT)
FILES = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
EVERY_FILE = pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))


def imports(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """Modules imported anywhere in a file, and whether only when a function runs."""
    def walk(node: ast.AST, lazy: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from ((alias.name, lazy) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                yield "." * child.level + (child.module or ""), lazy
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from walk(child, lazy or inside)
    return walk(tree, False)


def imported(path: Path) -> list[tuple[str, bool]]:
    return list(imports(ast.parse(path.read_text(encoding="utf-8"))))


def roots(path: Path) -> set[str]:
    return {name.partition(".")[0] for name, _ in imported(path)}


def place(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_walk_finds_imports_of_every_form():
    tree = ast.parse("import a.b\nfrom c import d\nfrom . import e\nif x:\n    import f as g\n"
                     "def h():\n    import i\n    class J:\n        from k.l import m\n")
    assert sorted(imports(tree)) == [(".", False), ("a.b", False), ("c", False), ("f", False),
                                     ("i", True), ("k.l", True)]


def test_all_four_rooms_are_looked_at():
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == set(ROOMS)
    assert len(FILES) >= 40


@EVERY_FILE
def test_a_room_imports_only_from_the_rooms_below_it(path):
    room = path.relative_to(ROOT).parts[0]
    for name, lazy in imported(path):
        other = name.partition(".")[0]
        if other in MAY_IMPORT and other not in MAY_IMPORT[room]:
            assert path.name == "__main__.py", f"{place(path)} imports {name}"
            assert lazy, f"{place(path)} imports {name} before it is needed"


@EVERY_FILE
def test_imports_are_absolute_and_tests_are_not_imported(path):
    for name, _ in imported(path):
        assert not name.startswith("."), f"{place(path)}: write the path, not {name}"
        assert name.partition(".")[0] != "tests"


@EVERY_FILE
@pytest.mark.parametrize(("library", "home"), [
    ("simpy", "sim/times/engine.py"), ("torch", "gpu"), ("torchvision", "gpu"),
    ("matplotlib", "figures")])
def test_a_library_is_imported_in_its_home_alone(path, library, home):
    if library in roots(path):
        assert place(path) == home or home in place(path).split("/")[:1]


def test_every_room_is_a_package_and_is_shipped():
    from setuptools import find_packages

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    shipped = set(find_packages(str(ROOT), **settings["packages"]["find"]))
    folders = {".".join(path.parent.relative_to(ROOT).parts) for path in FILES}
    assert shipped == folders
