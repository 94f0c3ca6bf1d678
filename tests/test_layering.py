"""Imports go one way: between the packages, figures → analysis → sim ← gpu, and inside each.

`__main__` and the files of `commands` may call another package's public functions, lazily.  Inside
a package no two files, and no two rooms (folders), import each other, not even for types or lazily;
a circle is printed as the way round it.  Rooms stay small enough to be looked over.
"""

import ast
import shutil
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "sim": {"sim"},
    "analysis": {"analysis", "sim"},
    "figures": {"figures", "analysis", "sim"},
    "gpu": {"gpu", "sim"},
}
PACKAGES = sorted(MAY_IMPORT)
EXAMPLES = ROOT / "figures/experiments"  # a user's plugin lies there, as data of the package
FILES = [path for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))
         if path.parent != EXAMPLES]
FOLDERS = sorted({path.parent for path in FILES})
EVERY_FILE = pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
MOST_FILES, MOST_LINES = 14, 300


def imports(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """Modules imported anywhere in a file, and whether only when a function runs."""
    return ((name, lazy) for name, _, lazy in imported_names(tree))


def imported_names(tree: ast.Module) -> Iterator[tuple[str, tuple[str, ...], bool]]:
    """Modules, the names taken out of each, and whether only when a function runs."""
    def walk(node: ast.AST, lazy: bool) -> Iterator[tuple[str, tuple[str, ...], bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from ((alias.name, (), lazy) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                names = tuple(alias.name for alias in child.names)
                yield "." * child.level + (child.module or ""), names, lazy
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from walk(child, lazy or inside)
    return walk(tree, False)


@cache
def names_in(path: Path) -> list[tuple[str, tuple[str, ...], bool]]:
    return list(imported_names(ast.parse(path.read_text(encoding="utf-8"))))


def imported(path: Path) -> list[tuple[str, bool]]:
    return [(name, lazy) for name, _, lazy in names_in(path)]


def roots(path: Path) -> set[str]:
    return {name.partition(".")[0] for name, _ in imported(path)}


def place(path: Path) -> str:
    return str(path.relative_to(ROOT))


Graph = dict[str, set[str]]


def files_of(root: Path, package: str) -> Graph:
    """Every module of a package, with the modules of it that its file imports in any way."""
    found = {".".join(p.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): p
             for p in sorted((root / package).rglob("*.py"))}
    graph: Graph = {}
    for module, path in found.items():
        graph[module] = set()
        for name, taken, _ in names_in(path):
            for each in taken or ("",):
                inner = f"{name}.{each}"
                graph[module] |= {inner if inner in found else name} & set(found)
        graph[module].discard(module)
    return graph


def rooms_of(graph: Graph, folder: str) -> Graph:
    """What lies in one folder, files and rooms, with what of it each imports.

    The folder's own `__init__` (a face, a registry) is no room of it, nor is a door.
    """
    def room(module: str) -> str | None:
        if not module.startswith(f"{folder}."):
            return None
        inside = module.removeprefix(f"{folder}.").partition(".")[0]
        return None if inside == "__main__" else f"{folder}.{inside}"

    rooms: Graph = defaultdict(set)
    for module, others in graph.items():
        own = room(module)
        if own is not None:
            rooms[own] |= {each for each in map(room, others) if each not in (None, own)}
    return rooms


def ways_round(graph: Graph) -> list[list[str]]:
    """The shortest way round from each node that has one, its start again at the end."""
    found: dict[frozenset[str], list[str]] = {}
    for start in sorted(graph):
        way = shortest(graph, start)
        if way:
            found.setdefault(frozenset(way), way)
    return list(found.values())


def shortest(graph: Graph, start: str) -> list[str]:
    """The shortest way from a node back to it."""
    ways, seen = [[start]], set()
    for way in ways:
        for following in sorted(graph.get(way[-1], ())):
            if following == start:
                return [*way, start]
            if following not in seen:
                seen.add(following)
                ways.append([*way, following])
    return []


def circles(root: Path, package: str) -> list[str]:
    """Circles of files, and of the rooms of every folder, as text."""
    graph = files_of(root, package)
    folders = sorted({module.rpartition(".")[0] for module in graph} - {""})
    ways = [*ways_round(graph),
            *(way for folder in folders for way in ways_round(rooms_of(graph, folder)))]
    return list(dict.fromkeys(" → ".join(way) for way in ways))


def test_the_walk_finds_imports_of_every_form():
    tree = ast.parse("import a.b\nfrom c import d\nfrom . import e\nif x:\n    import f as g\n"
                     "def h():\n    import i\n    class J:\n        from k.l import m\n")
    assert sorted(imports(tree)) == [(".", False), ("a.b", False), ("c", False), ("f", False),
                                     ("i", True), ("k.l", True)]


def test_all_four_packages_are_looked_at():
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == set(PACKAGES)
    assert len(FILES) >= 40


@EVERY_FILE
def test_a_package_imports_only_from_those_below_it(path):
    package = path.relative_to(ROOT).parts[0]
    door = path.name == "__main__.py" or path.parent == ROOT / package / "commands"
    for name, lazy in imported(path):
        other = name.partition(".")[0]
        if other in MAY_IMPORT and other not in MAY_IMPORT[package]:
            assert door, f"{place(path)} imports {name}"
            assert lazy, f"{place(path)} imports {name} before it is needed"


@pytest.mark.parametrize("package", PACKAGES)
def test_inside_a_package_imports_go_one_way(package):
    assert circles(ROOT, package) == []


def planted(tmp_path: Path, file: str, line: str) -> list[str]:
    """Circles in a copy of `sim` where a file imports something more."""
    shutil.copytree(ROOT / "sim", tmp_path / "sim", ignore=shutil.ignore_patterns("*.pyc"))
    with (tmp_path / file).open("a") as target:
        target.write(line)
    return circles(tmp_path, "sim")


@pytest.mark.parametrize("line", ["\nfrom sim.order.instruction import Instruction\n",
                                  "\nfrom sim.order import instruction\n",
                                  "\nimport sim.order.instruction\n",
                                  "\nif TYPE_CHECKING:\n    from sim.order.instruction import X\n",
                                  "\ndef f():\n    from sim.order.instruction import X\n"])
def test_a_planted_circle_of_files_is_found(tmp_path, line):
    assert "sim.op → sim.order.instruction → sim.op" in planted(tmp_path, "sim/op.py", line)


def test_a_planted_circle_of_rooms_is_found(tmp_path):
    """No two files import each other here; the rooms they lie in do."""
    found = planted(tmp_path, "sim/mitigations/none.py", "\nfrom sim.times.cluster import Link\n"
                    "\nfrom sim.weights.versions import VersionPlan\n")
    assert "sim.mitigations → sim.weights → sim.mitigations" in found


@pytest.mark.parametrize("folder", FOLDERS, ids=place)
def test_a_folder_can_be_looked_over(folder):
    files = sorted(path.name for path in folder.glob("*.py"))
    assert len(files) <= MOST_FILES, files


@EVERY_FILE
def test_a_file_can_be_read_at_a_sitting(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@EVERY_FILE
def test_imports_are_absolute_and_tests_are_not_imported(path):
    for name, _ in imported(path):
        assert not name.startswith("."), f"{place(path)}: write the path, not {name}"
        assert name.partition(".")[0] != "tests"


@pytest.mark.parametrize(("library", "home"), [
    ("simpy", "engine.py"), ("torch", "gpu"), ("torchvision", "gpu"),
    ("matplotlib", "figures")])
def test_a_library_is_imported_in_its_home_alone(library, home):
    strangers = [place(path) for path in FILES if library in roots(path)
                 and path.name != home and home not in place(path).split("/")[:1]]
    assert strangers == []


def test_every_folder_is_a_package_and_is_shipped():
    from setuptools import find_packages

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    shipped = set(find_packages(str(ROOT), **settings["packages"]["find"]))
    folders = {".".join(path.parent.relative_to(ROOT).parts) for path in FILES}
    assert shipped == folders
