"""Trees of values written as TOML and JSON, as wrong as they are."""

from __future__ import annotations

import json
import math
from typing import Any

from tests.fuzz.mutate import Raw


def toml(tree: Any) -> str:
    """A tree as TOML: a table for each section; what TOML does not have, as JSON has it."""
    if not isinstance(tree, dict):
        return inline(tree)
    lines = [f"{_key(key)} = {inline(value)}" for key, value in tree.items()
             if not isinstance(value, dict)]
    for section, table in tree.items():
        if isinstance(table, dict):
            lines += [f"[{_key(section)}]",
                      *(f"{_key(key)} = {inline(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def _key(name: Any) -> str:
    text = str(name)
    plain = text.replace("_", "a").replace("-", "a")
    return text if plain.isascii() and plain.isalnum() else json.dumps(text)


def inline(value: Any) -> str:
    """A value as it stands behind a key of TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(k)} = {inline(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return _leaf(value)


def json_text(value: Any) -> str:
    """A tree as JSON, with NaN and Infinity as Python writes them."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(k))}: {json_text(v)}"
                               for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(json_text, value)) + "]"
    return _leaf(value)


def _leaf(value: Any) -> str:
    if isinstance(value, Raw):
        return str(value)
    return json.dumps(value)
