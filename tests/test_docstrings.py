"""Every public docstring says what a thing is, with shapes, units and what it raises."""

import ast
from pathlib import Path

import pytest

from tests.docstrings import Public, public

ROOT = Path(__file__).parents[1]
ROOMS = [f"{package}/{path.name}" for package in ("sim", "gpu", "analysis", "figures")
         for path in sorted((ROOT / package).iterdir())
         if (path.suffix == ".py" and path.stem != "__main__") or (path / "__init__.py").exists()]


@pytest.mark.parametrize("room", ROOMS)
def test_what_is_public_is_documented(room):
    found = list(public(ROOT, [room]))
    assert found
    assert not [f"{each.name}: {fault}" for each in found for fault in each.faults()]


@pytest.mark.parametrize(("code", "fault"), [
    ("def f():\n    pass", "no docstring"),
    ("def f(x: Floats):\n    'Twice x.'", "an array without its shape"),
    ("def f(x: Floats):\n    'Twice x, (rows,).'", None),
    ("def f(wait_s: float):\n    'Twice it.'", "a value in _s without its unit"),
    ("def f(wait_s: float):\n    'Twice the seconds.'", None),
    ("def f():\n    'Never.'\n    raise ValueError('no')", "raises what it does not name"),
    ("def f():\n    'Never.  Raises ValueError.'\n    raise ValueError('no')", None),
    ("def f():\n    'The same by stage.'", "leans on a neighbour"),
    ("class C:\n    'A thing.'\n    size_bytes: int", "a value in _bytes without its unit"),
])
def test_a_fault_is_seen(code, fault):
    node = ast.parse(code).body[0]
    each = Public("f", node, ast.get_docstring(node) or "")
    assert each.faults() == ([fault] if fault else [])


def test_a_method_may_be_documented_where_its_protocol_is(tmp_path):
    (tmp_path / "sim").mkdir()
    (tmp_path / "sim" / "a.py").write_text(
        "'M.'\nclass P:\n    'P.'\n    def f(self):\n        'Does it.'\n"
        "class C:\n    'A `P`.'\n    def f(self):\n        pass\n    def g(self):\n        pass\n")
    said = {each.name: each.docstring for each in public(tmp_path, ["sim"])}
    assert said["sim/a.py: C.f"] == "Does it."
    assert said["sim/a.py: C.g"] == ""
