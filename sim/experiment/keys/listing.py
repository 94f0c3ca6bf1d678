"""Every configuration key with its type, unit, default and meaning, read off the tables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from sim.experiment.problems import model_in
from sim.experiment.tables import Tables
from sim.experiment.values.said import Says
from sim.mitigations import MITIGATIONS
from sim.numerics.optimizers import OPTIMIZERS
from sim.numerics.tasks import TASKS
from sim.schedules import SCHEDULES
from sim.workers import COMBINES

SLIP = 1e6  # a bound as high as this says nothing to a reader
PLAIN = {"boolean": "true or false", "string": "text", "object": "table"}


@dataclass(frozen=True)
class Key:
    """One key: where it stands, what it takes, and what it means.

    `type` is said in words; `choices` are the names it takes (none: any value of its type).  One
    that is `required` has no default; `unset` says what holds where a default of None, or of no
    entry, stands.  `unit` is that of its numbers, `example` a value of it as TOML.
    """

    key: str
    type: str
    choices: tuple[str, ...]
    unit: str
    default: Any
    required: bool
    unset: str
    meaning: str
    example: str

    @property
    def table(self) -> str:
        """The table it stands in: `training.rate_schedule` of `training.rate_schedule.every`."""
        return self.key.rpartition(".")[0]

    @property
    def name(self) -> str:
        """Its name in its table."""
        return self.key.rpartition(".")[2]

    @property
    def without(self) -> str:
        """What holds where it is left out, as TOML or in words."""
        return "required" if self.required else self.unset or as_toml(self.default)

    def as_dict(self) -> dict[str, Any]:
        """What `sim keys --json` has of it."""
        return {"key": self.key, "type": self.type, "choices": list(self.choices) or None,
                "unit": self.unit or None, "default": self.default, "required": self.required,
                "unset": self.unset or None, "meaning": self.meaning}


def every_key() -> list[Key]:
    """Every key, table by table, in the order of the tables; those of inner tables after theirs."""
    schema = Tables.model_json_schema()
    models = {name: field.annotation for name, field in Tables.model_fields.items()}
    return [key for table, model in models.items() if isinstance(model, type)
            for key in _keys(table, model, schema["$defs"])]


def table_line(table: str) -> str:
    """What a table of the configuration is about: its documentation without units in brackets."""
    text = " ".join((Tables.model_fields[table].annotation.__doc__ or "").split())
    return re.sub(r" \([^)]*\)", "", text.partition(": ")[2]).rstrip(".")


def named() -> dict[str, list[str]]:
    """The names that keys take which stand for something registered, by key."""
    return {"pipeline.schedule": SCHEDULES.names(), "pipeline.mitigation": MITIGATIONS.names(),
            "workers.combine": COMBINES.names(), "training.optimizer": OPTIMIZERS.names(),
            "training.task": [*TASKS.names(), "none"]}


def _keys(path: str, model: type[BaseModel], schemas: Mapping[str, Any]) -> Iterator[Key]:
    properties = schemas[model.__name__]["properties"]
    for name, field in model.model_fields.items():
        says = next(each for each in field.metadata if isinstance(each, Says))
        key, schema = f"{path}.{name}", properties[name]
        default = None if field.is_required() else schema.get("default")
        choices = named().get(key) or schema.get("enum") or ()
        inner = _inner(schema)
        kind = "name" if choices and "oneOf" not in schema else _type(schema)
        yield Key(key, kind, tuple(choices), says.unit, default, field.is_required(),
                  says.unset, says.meaning, says.example)
        if inner is not None:
            yield from _keys(key, _model(model, name), schemas)


def _model(model: type[BaseModel], name: str) -> type[BaseModel]:
    """The model of a key's inner table."""
    found = model_in(model.model_fields[name].annotation)
    assert found is not None, f"{name} has no inner table"
    return found


def _inner(schema: Mapping[str, Any]) -> str | None:
    """The name of the inner table that a key's schema refers to; None: it takes no such table."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    parts = [*schema.get("anyOf", ()), schema["items"]] if "items" in schema else schema.get(
        "anyOf", ())
    return next((found for part in parts if (found := _inner(part)) is not None), None)


def _type(schema: Mapping[str, Any]) -> str:
    """What a value has to be, in words: `whole number, 1 to 4096`."""
    parts = [part for part in (*schema.get("anyOf", ()), *schema.get("oneOf", ()))
             if part.get("type") != "null"]
    if parts:
        said = [_type(part) for part in parts]
        return "name or table" if said == ["text", "table"] else " or ".join(
            "a list of them" if part.get("type") == "array" and place else text
            for place, (part, text) in enumerate(zip(parts, said, strict=True)))
    if "$ref" in schema:
        return "table"
    if schema["type"] == "array":
        return f"list of {_type(schema['items']).replace('number', 'numbers', 1)}".replace(
            "list of table", "list of tables")
    if schema["type"] in PLAIN:
        return PLAIN[schema["type"]]
    return {"integer": "whole number", "number": "number"}[schema["type"]] + _range(schema)


def _range(schema: Mapping[str, Any]) -> str:
    """The bounds of a number; one that only catches slips of the finger is left out."""
    least, most = schema.get("minimum"), schema.get("maximum")
    last = "" if most is None or most >= SLIP else f" to {most:.7g}"
    if "exclusiveMinimum" in schema or (least and least < 1):
        return f" above 0{last}"
    return "" if least is None else f" from {least:g}{last}"


def as_toml(value: Any) -> str:
    """A key's default as TOML writes it."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {as_toml(each)}" for name, each in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(as_toml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
