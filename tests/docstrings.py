"""What the public docstrings of a tree say, and what they owe their reader."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef
ARRAY = re.compile(r"\b(Floats|Ints|Bools|NDArray|ndarray|Tensor)\b")
SHAPE = re.compile(r"\([^()]*?[\w+−·/ ]+,[^()]*\)|\bshapes?\b|\b0-d\b|\bscalars?\b")
UNITS = {"_bytes_per_s": re.compile(r"[Bb]ytes?( a |/| per )s|[Bb]andwidth"),
         "_bytes": re.compile(r"\b[Bb]ytes?\b"),
         "_s": re.compile(r"\b[Ss]econds?\b|\bs\b|\b[Tt]imes?\b|\b[Ww]hen\b|\b[Ii]nstants?\b")}
LEANING = re.compile(r"^The same\b|\bthe same (by|for|with|while|but)\b|\bas above\b|^As `|^Like `|"
                     r"\b[Ll]ikewise\b|\b[Ss]ee the other\b|\b[Dd]itto\b|\b[Ss]ee above\b|^And\b")


@dataclass(frozen=True)
class Public:
    """A module, class, function or method whose name has no leading underscore.

    `docstring` is its own, or a method's of a base class, or of a class that its own class's
    docstring names in backticks (what a protocol's method says need not be said again).
    """

    name: str
    node: ast.Module | ast.ClassDef | Function
    docstring: str

    def faults(self) -> list[str]:
        """What is missing: a docstring, a shape, a unit, what is raised, or words of its own."""
        if not self.docstring:
            return ["no docstring"]
        found = ["leans on a neighbour"] if LEANING.search(self.docstring) else []
        names, types = self._mentioned()
        if any(map(ARRAY.search, types)) and not SHAPE.search(self.docstring):
            found.append("an array without its shape")
        for suffix in {next((s for s in UNITS if name.endswith(s)), "") for name in names} - {""}:
            if not UNITS[suffix].search(self.docstring):
                found.append(f"a value in {suffix} without its unit")
        if any(_raised(self.node)) and "Raises" not in self.docstring:
            found.append("raises what it does not name")
        return found

    def _mentioned(self) -> tuple[list[str], list[str]]:
        """Names and types of its parameters and result, or of its fields."""
        if isinstance(self.node, Function):
            given = self.node.args
            each = [*given.posonlyargs, *given.args, *given.kwonlyargs]
            types = [p.annotation for p in each] + [self.node.returns]
            return ([p.arg for p in each] + [self.node.name],
                    [ast.unparse(t) for t in types if t is not None])
        fields = [n for n in self.node.body if isinstance(n, ast.AnnAssign)]
        if isinstance(self.node, ast.Module):
            return [], []
        return ([n.target.id for n in fields if isinstance(n.target, ast.Name)],
                [ast.unparse(n.annotation) for n in fields])


def _raised(node: ast.AST) -> Iterator[ast.expr]:
    """Errors a function's own body raises by name; its inner functions answer for themselves."""
    if not isinstance(node, Function):
        return
    todo: list[ast.AST] = [*node.body]
    while todo:
        each = todo.pop()
        if isinstance(each, ast.Raise) and isinstance(each.exc, ast.Call):
            yield each.exc
        if not isinstance(each, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            todo += ast.iter_child_nodes(each)


def public(root: Path, folders: list[str]) -> Iterator[Public]:
    """Everything public below the folders of a tree, a door's `__main__` left out."""
    files, classes = _trees(root), _classes(root)
    for path, tree in files.items():
        place = path.relative_to(root).as_posix()
        if any(place == f or place.startswith(f"{f}/") for f in folders):
            yield Public(place, tree, ast.get_docstring(tree) or "")
            for node in _named(tree):
                yield Public(f"{place}: {node.name}", node, ast.get_docstring(node) or "")
                for method in _named(node) if isinstance(node, ast.ClassDef) else ():
                    said = _said(node, method.name, classes, set())
                    yield Public(f"{place}: {node.name}.{method.name}", method, said)


@cache
def _classes(root: Path) -> dict[str, ast.ClassDef]:
    """Every class of a tree by its name."""
    return {node.name: node for tree in _trees(root).values() for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef)}


@cache
def _trees(root: Path) -> dict[Path, ast.Module]:
    """Every file below a root, parsed once for all who ask."""
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(
        path for package in ("sim", "gpu", "analysis", "figures")
        for path in (root / package).rglob("*.py") if path.name != "__main__.py")}


def _named(node: ast.Module | ast.ClassDef) -> Iterator[ast.ClassDef | Function]:
    kinds = (ast.ClassDef, *Function.__args__) if isinstance(node, ast.Module) else (
        Function.__args__)
    yield from (n for n in node.body if isinstance(n, kinds) and not n.name.startswith("_"))


def _said(owner: ast.ClassDef, name: str, classes: dict[str, ast.ClassDef], seen: set[str]) -> str:
    """A method's docstring, in its class, or a class above it or named by it."""
    own = next((ast.get_docstring(n) for n in owner.body
                if isinstance(n, Function) and n.name == name), None)
    if own or owner.name in seen:
        return own or ""
    seen.add(owner.name)
    named = re.findall(r"`(?:[\w.]*\.)?(\w+)`", ast.get_docstring(owner) or "")
    bases = [base.id for base in owner.bases if isinstance(base, ast.Name)]
    return next(filter(None, (_said(classes[each], name, classes, seen)
                              for each in [*bases, *named] if each in classes)), "")
