"""Plain documents of a configuration: read from TOML, and changed by dotted keys."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from sim.errors import ConfigurationError, InputError, shown
from sim.experiment.tables import Tables
from sim.files.reading import text_of


def read_document(path: str | Path | None) -> dict[str, Any]:
    """A TOML file as a plain document, unchecked; no path gives an empty one.

    Raises ConfigurationError where it cannot be read.
    """
    if path is None:
        return {}
    try:
        document = tomllib.loads(text_of(path))
    except InputError as error:
        setting = "=" in str(path) and not Path(path).exists()
        meant = f"; a setting is given as --set {path}" if setting else ""
        raise ConfigurationError([line + meant for line in error.lines]) from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError([f"{path}: not TOML: {error}"]) from None
    too_large = _beyond_64_bits(document, "")
    if too_large:
        raise ConfigurationError([f"{path}: {line}" for line in too_large])
    return document


def _beyond_64_bits(value: Any, where: str) -> list[str]:
    """A line for each whole number larger than TOML's, which hold 64 bits."""
    found, left = [], [(where, value)]
    while left:  # no recursion: dotted keys nest as deep as somebody likes
        path, here = left.pop()
        if isinstance(here, dict):
            left += [(f"{path}.{key}" if path else key, inner) for key, inner in here.items()]
        elif isinstance(here, list):
            left += [(f"{path}.{place}", inner) for place, inner in enumerate(here)]
        elif isinstance(here, int) and here.bit_length() > 63:
            found.append(f"{path}: a whole number of TOML holds 64 bits, got {shown(here)}")
    return found[::-1]


def apply_setting(document: dict[str, Any], setting: str) -> None:
    """Put `KEY=VALUE` into a document; the key is dotted, or bare where one section has it.

    The value is TOML (`3`, `[1, 2]`, `{ name = "stash" }`), anything else is a string.
    Raises ConfigurationError.
    """
    key, equals, text = setting.partition("=")
    path = full_key(key.strip())
    if not equals or not path:
        raise ConfigurationError([f"--set {setting}: write KEY=VALUE, e.g. pipeline.stages=8"])
    value = toml_value(text.strip())
    too_large = _beyond_64_bits(value, f"--set {path}")
    if too_large:
        raise ConfigurationError(too_large)
    put(document, path, value)


def put(document: dict[str, Any], path: str, value: Any) -> None:
    """Put a value at a dotted path into a document.  Raises ConfigurationError."""
    *sections, last = path.split(".")
    here: Any = document
    for section in sections:
        here = here.setdefault(section, {}) if isinstance(here, dict) else None
    if not isinstance(here, dict):
        raise ConfigurationError([f"{path}: {'.'.join(sections)} is not a table"])
    here[last] = value


def toml_value(text: str) -> Any:
    """`text` read as a TOML value; as a string where it is none."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return parsed["value"] if set(parsed) == {"value"} else text


def full_key(key: str) -> str:
    """The dotted path of a key, `pipeline.stages` of `stages`; a path may begin with a bare key.

    A bare key that no section has, or several, stays as it is.
    """
    bare = key.partition(".")[0]
    if bare in Tables.model_fields:
        return key
    homes = [name for name, section in Tables.model_fields.items()
             if bare in getattr(section.annotation, "model_fields", {})]
    return f"{homes[0]}.{key}" if len(homes) == 1 else key
