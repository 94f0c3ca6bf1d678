"""Mitigations, optimizers and rules of several workers, made from their names or tables."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_type_hints

from pydantic import ValidationError, create_model

from sim.errors import ConfigurationError, did_you_mean, unknown
from sim.experiment.problems import listed
from sim.experiment.values.kinds import STRICT
from sim.mitigations import MITIGATIONS, Mitigation
from sim.numerics.optimizers import OPTIMIZERS, OptimizerKind
from sim.registry import Registry
from sim.workers import COMBINES, Combine


def make_mitigation(entry: str | dict[str, Any]) -> Mitigation:
    """A mitigation from its name, or from a table with its name and parameters.

    Raises ConfigurationError.
    """
    made: Mitigation = make_named(entry, MITIGATIONS, "pipeline.mitigation")
    return made


def make_combine(entry: str | dict[str, Any]) -> Combine:
    """A rule by which workers combine, from its name, or a table with its name and parameters.

    Raises ConfigurationError.
    """
    made: Combine = make_named(entry, COMBINES, "workers.combine")
    return made


def make_optimizer(entry: str | dict[str, Any]) -> OptimizerKind:
    """A kind of optimizer, from its name, or a table with its name and parameters.

    Raises ConfigurationError.
    """
    made: OptimizerKind = make_named(entry, OPTIMIZERS, "training.optimizer")
    return made


def make_named(entry: str | dict[str, Any], registry: Registry[Any], where: str) -> Any:
    """An item of a registry of parametrised dataclasses, from its name or table.

    `where` is the configuration's key it stands at.  Raises ConfigurationError.
    """
    table = {"name": entry} if isinstance(entry, str) else dict(entry)
    if not isinstance(table.get("name"), str):
        raise ConfigurationError([f"{where}.name: missing; choose from "
                                  f"{', '.join(registry.names())}"])
    name = table.pop("name")
    if name not in registry:
        raise ConfigurationError([f"{where}: {unknown(registry.kind, name, registry.names())}"])
    kind = registry[name]
    known = [f.name for f in fields(kind)]
    strange = [key for key in table if key not in known]
    if strange:
        raise ConfigurationError([f"{where}.{key}: {name} has no such parameter"
                                  f"{did_you_mean(key, known)}; it takes: "
                                  f"{', '.join(known) or 'none'}" for key in strange])
    return kind(**_checked_parameters(kind, table, where))


def _checked_parameters(kind: type[Any], table: dict[str, Any], where: str) -> dict[str, Any]:
    """The given parameters as strictly typed as every other key, and accepted by `kind`."""
    if not table:
        return {}
    hints = get_type_hints(kind, include_extras=True)  # with the bounds that stand in them
    keys: dict[str, Any] = {f.name: (hints[f.name], f.default) for f in fields(kind)}
    model = create_model(kind.__name__, __config__=STRICT, **keys)
    try:
        values = {key: getattr(model.model_validate(table), key) for key in table}
        kind(**values)
    except ValidationError as errors:
        raise ConfigurationError(listed(errors, model, where.split("."))) from None
    except ValueError as error:
        raise ConfigurationError([f"{where}: {error}"]) from None
    return values
