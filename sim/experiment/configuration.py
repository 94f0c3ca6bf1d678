"""Reading a configuration: TOML and settings into a checked `Experiment`, or every problem."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sim.errors import ConfigurationError
from sim.experiment.documents import apply_setting, read_document
from sim.experiment.options import Experiment, resolve

__all__ = ["ConfigurationError", "Experiment", "read_experiment", "resolve"]


def read_experiment(path: str | Path | None, settings: Iterable[str] = ()) -> Experiment:
    """The experiment of a TOML file (None: the default one) with `KEY=VALUE` settings applied.

    Raises ConfigurationError with every problem.
    """
    document = read_document(path)
    for setting in settings:
        apply_setting(document, setting)
    return resolve(document)
