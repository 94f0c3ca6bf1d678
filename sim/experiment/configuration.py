"""Reading a configuration: TOML and settings into a checked `Experiment`, or every problem."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sim.errors import ConfigurationError
from sim.experiment.documents import apply_setting, read_document
from sim.experiment.options import Experiment, resolve

__all__ = ["ConfigurationError", "Experiment", "read_experiment", "resolve"]


def read_experiment(path: str | Path | None, settings: Iterable[str] = ()) -> Experiment:
    """The experiment of a TOML file (None: the default one) with `KEY=VALUE` settings applied.

    Raises ConfigurationError with every problem.
    """
    return resolve(document_of(path, settings))


def document_of(path: str | Path | None, settings: Iterable[str] = ()) -> dict[str, Any]:
    """The document of a TOML file (None: an empty one) with `KEY=VALUE` settings applied.

    It is not checked yet.  Raises ConfigurationError.
    """
    document = read_document(path)
    for setting in settings:
        apply_setting(document, setting)
    return document
