"""Reading a SWEEP.toml: into a checked `Sweep`, or every problem."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from analysis.sweep.options import DRAWN, LARGEST, Choices, Draw, Random, Range, SweepFile
from analysis.sweep.points import Grid, Search, Sweep
from sim.errors import ConfigurationError, shown, unknown
from sim.experiment.documents import full_key, read_document
from sim.experiment.options import Experiment
from sim.experiment.problems import keys_of, listed

DRAW: TypeAdapter[Choices | Range] = TypeAdapter(Draw)


def read_sweep(path: Path) -> Sweep:
    """The sweep that a TOML file describes.  Raises ConfigurationError with every problem."""
    document = read_document(path)
    try:
        found = SweepFile.model_validate(document)
    except ValidationError as errors:
        raise ConfigurationError(listed(errors, SweepFile)) from None
    problems: list[str] = []
    base = _base(found.experiment, path, problems)
    if (found.grid is None) == (found.random is None):
        problems.append("grid, random: a sweep has one of the two, got "
                        + ("neither" if found.grid is None else "both"))
    space: Grid | Search = Grid({}) if found.grid is None else _grid(found.grid, problems)
    if found.random is not None:
        space = _search(found.random, problems)
    if problems:
        raise ConfigurationError(problems)
    sweep = Sweep(base, space, found.seeds)
    sweep.point(0)  # a key inside something that is no table is told before anything is written
    return sweep


def _base(experiment: str | dict[str, Any], path: Path, problems: list[str]) -> dict[str, Any]:
    """The document every point starts from."""
    named = isinstance(experiment, str)
    try:
        base = read_document(path.parent / experiment) if isinstance(experiment, str) \
            else experiment
        Experiment.model_validate(base)
    except ConfigurationError as error:
        problems += [f"experiment: {line}" for line in error.problems]
    except ValidationError as errors:
        where = (f"experiment: {experiment}: ",) if named else ("experiment.",)
        problems += [where[0] + line for line in listed(errors, Experiment)]
    else:
        problems += _not_json("experiment", base)
        return base
    return {}


def _grid(tables: dict[str, Any], problems: list[str]) -> Grid:
    values: dict[str, list[Any]] = {}
    for key, found in _keys(tables, "grid", lambda value: False, problems):
        if not isinstance(found, list) or not found:
            problems.append(f"grid.{key}: a list of at least one value, got {shown(found)}")
        else:
            values[key] = found
            problems += _not_json(f"grid.{key}", found)
    grid = Grid(values)
    if not tables:
        problems.append("grid: name at least one key and its values, e.g. "
                        '"pipeline.stages" = [2, 4]')
    if len(grid) > LARGEST:
        problems.append(f"grid: makes {len(grid)} points, more than {LARGEST}")
    return grid


def _search(found: Random, problems: list[str]) -> Search:
    draws: dict[str, Choices | Range] = {}
    for key, value in _keys(found.keys, "random.keys", lambda value: bool(DRAWN & value.keys()),
                            problems):
        path = f"random.keys.{key}"
        if not isinstance(value, dict):
            problems.append(f"{path}: {{ choices = [...] }} or {{ low = ..., high = ... }}, got "
                            f"{shown(value)}")
            continue
        try:
            draws[key] = DRAW.validate_python(value)
        except ValidationError as errors:
            model = Choices if "choices" in value else Range
            problems += listed(errors, model, path.split("."))
        problems += _not_json(path, value)
    if not found.keys:
        problems.append("random.keys: name at least one key and how to draw it")
    return Search(found.points, found.seed, draws)


def _keys(tables: dict[str, Any], where: str, is_leaf: Callable[[dict[str, Any]], bool],
          problems: list[str]) -> Iterator[tuple[str, Any]]:
    """Configuration keys by dotted path and what stands at each; unknown ones are problems."""
    seen: set[str] = set()
    for written, value in _leaves(tables, is_leaf):
        key = full_key(written)
        problem = _unknown(key) or _again(key, seen)
        seen.add(key)
        if problem:
            problems.append(f"{where}.{written}: {problem}")
        else:
            yield key, value


def _again(key: str, seen: Collection[str]) -> str | None:
    """What is wrong with a key beside those before it: it, or a table around it, is one of them."""
    for other in seen:
        if other == key:
            return f"named twice, as {key}"
        inner, outer = (key, other) if key.startswith(f"{other}.") else (other, key)
        if inner.startswith(f"{outer}."):
            return f"{inner} lies in {outer}, which is set as a whole beside it; name one of them"
    return None


def _leaves(tables: dict[str, Any], is_leaf: Callable[[dict[str, Any]], bool], above: str = ""
            ) -> Iterator[tuple[str, Any]]:
    for key, value in tables.items():
        if isinstance(value, dict) and not is_leaf(value) and value:
            yield from _leaves(value, is_leaf, f"{above}{key}.")
        else:
            yield above + key, value


def _unknown(key: str) -> str | None:
    """What is wrong with a dotted key; inside a free table (a mitigation's) any is right."""
    path = key.split(".")
    if len(path) == 1:
        every = [f"{section}.{name}" for section in Experiment.model_fields
                 for name in keys_of(Experiment, [section])]
        return unknown("key", key, every)
    for depth, name in enumerate(path):
        choices = keys_of(Experiment, path[:depth])
        if choices and name not in choices:
            return unknown("key", name, choices)
        if not choices and path[:depth] != ["pipeline", "mitigation"]:
            return f"{'.'.join(path[:depth])} is no table"
    return None


def _not_json(path: str, value: Any) -> list[str]:
    """TOML's dates and times are values of no key."""
    try:
        json.dumps(value)
    except TypeError as error:
        return [f"{path}: {error}"]
    return []
