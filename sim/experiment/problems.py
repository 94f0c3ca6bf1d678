"""What is wrong with a configuration: every problem as `path: message`, with the choices."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from sim.errors import did_you_mean, shown, unknown

TAGS = ("#number", "#list", "#name", "#table")  # of unions; no part of a key's path


def listed(errors: ValidationError, model: type[BaseModel], prefix: Sequence[str] = ()
           ) -> list[str]:
    """The errors of validating `model` as lines `path: message`, paths below `prefix`."""
    said: dict[str, str] = {}
    for error in errors.errors():
        loc, strange = error["loc"], error["type"] == "extra_forbidden"
        keys = [key for key in loc[:-1] if key not in TAGS]
        keys += [key for key in loc[-1:] if strange or key not in TAGS]  # a key named like a tag
        path = ".".join((*prefix, *map(str, keys)))
        if strange:
            elsewhere = [] if prefix else _elsewhere(model, keys)
            message = unknown("key", str(keys[-1]), keys_of(model, keys[:-1]), elsewhere)
        else:
            message = error["msg"][0].lower() + error["msg"][1:]
            if error["type"] != "missing":
                message += f", got {shown(error['input'])}"
            if error["type"] == "literal_error":
                choices = re.findall("'([^']*)'", error["ctx"]["expected"])
                message += did_you_mean(str(error["input"]), choices)
        said.setdefault(path, message)
    return [f"{path}: {message}" for path, message in said.items()]


def _elsewhere(model: type[BaseModel], keys: Sequence[Any]) -> list[str]:
    """What a misspelt key may have been meant to be beside those of its own table.

    One that another table has: that table's.  Else, of one without a table, any key there is.
    """
    others = [table for table in keys_of(model, []) if keys[-1] in keys_of(model, [table])]
    return [f"{table}.{keys[-1]}" for table in others] or ([] if keys[:-1] else keys_inside(model))


def keys_of(model: type[BaseModel], path: Sequence[Any]) -> list[str]:
    """The keys that the table at `path` inside a configuration's `model` takes, sorted."""
    here: type[BaseModel] | None = model
    for key in path:
        if isinstance(key, str) and here is not None and key in here.model_fields:
            here = model_in(here.model_fields[key].annotation)
    return sorted(here.model_fields) if here else []


def keys_inside(model: type[BaseModel]) -> list[str]:
    """The keys of every table of a configuration's `model`, sorted: they may be given bare."""
    tables = filter(None, (model_in(f.annotation) for f in model.model_fields.values()))
    return sorted({key for table in tables for key in table.model_fields})


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The model an annotation is or contains."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for a in get_args(annotation) if (m := model_in(a))), None)
