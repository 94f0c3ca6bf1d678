"""An experiment as Python asks for one: a file, a mapping or an experiment, and keys."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from sim.experiment.configuration import resolve
from sim.experiment.documents import full_key, put, read_document, toml_value
from sim.experiment.options import Experiment
from sim.experiment.program_file import in_shape, taken, with_program
from sim.order.program import Program

Asked = str | PathLike[str] | Mapping[str, Any] | Experiment | None
Order = Program | str | PathLike[str] | None  # a program to run, or the file of one


def experiment_of(asked: Asked, keys: Mapping[str, Any]) -> Experiment:
    """The experiment asked for, None the default one, with `keys` set in it.

    A key is dotted, or bare where one section has it, as `--set` takes them; later ones win.  A
    value is Python's (arrays and tuples count as lists), or text that is read as `--set` reads it.
    Raises ConfigurationError with every problem.
    """
    return resolve(document_asked(asked, keys))


def with_order(asked: Asked, keys: Mapping[str, Any], order: Order
               ) -> tuple[Experiment, Program | None]:
    """The experiment asked for, and what it runs in place of its schedule's order.

    A program is run just as it is, and one in a file as `--program` runs it.  Raises
    ConfigurationError, InputError or InvalidProgramError.
    """
    document = document_asked(asked, keys)
    if order is None:
        return resolve(document), None
    if not isinstance(order, Program):
        return with_program(document, taken(Path(order)))
    put(document, "workers.count", order.shape.workers)
    return resolve(in_shape(document, order.shape)), order


def document_asked(asked: Asked, keys: Mapping[str, Any]) -> dict[str, Any]:
    """The document of what is asked for, with `keys` set in it; it is not checked yet."""
    document = _document(asked)
    for key, value in keys.items():
        given = toml_value(value.strip()) if isinstance(value, str) else as_toml(value)
        put(document, full_key(key), given)
    return document


def _document(asked: Asked) -> dict[str, Any]:
    """A document of one's own to change."""
    if isinstance(asked, Experiment):
        return asked.document()
    if isinstance(asked, Mapping):
        return dict(as_toml(asked))
    return read_document(None if asked is None else fspath(asked))


def as_toml(value: Any) -> Any:
    """A value in the types a TOML file would give: tables, lists, numbers, text."""
    if isinstance(value, Mapping):
        return {str(key): as_toml(inner) for key, inner in value.items()}
    if isinstance(value, PathLike):
        return fspath(value)
    if hasattr(value, "tolist"):  # NumPy's arrays and numbers
        return value.tolist()
    if isinstance(value, list | tuple | range):
        return [as_toml(inner) for inner in value]
    return value
