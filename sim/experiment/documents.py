"""Plain documents of a configuration: read from TOML, and changed by dotted keys."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from sim.errors import ConfigurationError, InputError
from sim.experiment.tables import Tables
from sim.files.reading import text_of


def read_document(path: str | Path | None) -> dict[str, Any]:
    """A TOML file as a plain document, unchecked; no path gives an empty one.

    Raises ConfigurationError where it cannot be read.
    """
    if path is None:
        return {}
    try:
        return tomllib.loads(text_of(path))
    except InputError as error:
        raise ConfigurationError(error.lines) from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError([f"{path}: not TOML: {error}"]) from None


def apply_setting(document: dict[str, Any], setting: str) -> None:
    """Put `KEY=VALUE` into a document; the key is dotted, or bare where one section has it.

    The value is TOML (`3`, `[1, 2]`, `{ name = "stash" }`), anything else is a string.
    Raises ConfigurationError.
    """
    key, equals, text = setting.partition("=")
    path = full_key(key.strip())
    if not equals or not path:
        raise ConfigurationError([f"--set {setting}: write KEY=VALUE, e.g. pipeline.stages=8"])
    put(document, path, toml_value(text.strip()))


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
    """The dotted path of a key, `pipeline.stages` of `stages`.

    A bare key that no section has, or several, stays as it is.
    """
    if "." in key:
        return key
    homes = [name for name, section in Tables.model_fields.items()
             if key in getattr(section.annotation, "model_fields", {})]
    return f"{homes[0]}.{key}" if len(homes) == 1 else key
