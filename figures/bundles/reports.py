"""A study's report read back from its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sim.errors import ConfigurationError, InputError
from sim.files.reading import text_of


def report_of(path: Path, key: str) -> dict[str, Any]:
    """The report that a study wrote as JSON, which has `key` as all of its kind do.

    Raises ConfigurationError where it is none.
    """
    try:
        found = json.loads(text_of(path))
    except InputError as error:
        raise ConfigurationError(error.lines) from None
    except (ValueError, RecursionError):
        raise ConfigurationError([f"{path}: not JSON"]) from None
    if not isinstance(found, dict) or not found.get(key):
        raise ConfigurationError([f"{path}: not the report of a study, which has {key}"])
    return found
