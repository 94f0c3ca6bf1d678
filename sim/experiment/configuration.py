"""Reading a configuration: TOML and settings into a checked `Experiment`, or every problem."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import ValidationError, create_model

from sim.errors import ConfigurationError, unknown
from sim.experiment.options import STRICT, Experiment
from sim.experiment.problems import listed
from sim.mitigations import MITIGATIONS, Mitigation, Setting
from sim.numerics.optimizers import OPTIMIZERS, OptimizerKind
from sim.numerics.tasks import TASKS
from sim.order.shape import PipelineShape
from sim.registry import Registry
from sim.schedules import SCHEDULES
from sim.workers import COMBINES, Combine

__all__ = ["ConfigurationError", "Experiment", "apply_setting", "full_key", "make_combine",
           "make_mitigation", "make_optimizer", "put", "read_document", "read_experiment",
           "resolve", "toml_value"]

FILE = "file"  # the schedule of a program that was given, not generated
LARGEST = 20_000_000  # instructions; beyond this a mistyped number would only fill the memory


def read_experiment(path: str | Path | None, settings: Iterable[str] = ()) -> Experiment:
    """The experiment of a TOML file (None: the default one) with `KEY=VALUE` settings applied.

    Raises ConfigurationError with every problem.
    """
    document = read_document(path)
    for setting in settings:
        apply_setting(document, setting)
    return resolve(document)


def resolve(document: dict[str, Any]) -> Experiment:
    """Check a plain document against the configuration.  Raises ConfigurationError."""
    try:
        experiment = Experiment.model_validate(document)
    except ValidationError as errors:
        raise ConfigurationError(listed(errors, Experiment)) from None
    problems = [*_names(experiment), *_sizes(experiment), *_stragglers(experiment),
                *_workers(experiment), *_optimizer(experiment)]
    problems = [*problems, *(_order(experiment) if not problems else []),
                *_mitigation(experiment)]
    if problems:
        raise ConfigurationError(problems)
    return experiment


def make_mitigation(entry: str | dict[str, Any]) -> Mitigation:
    """A mitigation from its name, or from a table with its name and parameters.

    Raises ConfigurationError.
    """
    made: Mitigation = _made(entry, MITIGATIONS, "pipeline.mitigation")
    return made


def make_combine(entry: str | dict[str, Any]) -> Combine:
    """How workers combine, from its name or table.  Raises ConfigurationError."""
    made: Combine = _made(entry, COMBINES, "workers.combine")
    return made


def make_optimizer(entry: str | dict[str, Any]) -> OptimizerKind:
    """A kind of optimizer from its name or table.  Raises ConfigurationError."""
    made: OptimizerKind = _made(entry, OPTIMIZERS, "training.optimizer")
    return made


def _made(entry: str | dict[str, Any], registry: Registry[Any], where: str) -> Any:
    """An item of a registry of parametrised classes.  Raises ConfigurationError."""
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
        raise ConfigurationError([f"{where}.{key}: {name} has no such parameter; it takes: "
                                  f"{', '.join(known) or 'none'}" for key in strange])
    return kind(**_checked_parameters(kind, table, where))


def _checked_parameters(kind: type[Any], table: dict[str, Any], where: str) -> dict[str, Any]:
    """The given parameters as strictly typed as every other key, and accepted by `kind`."""
    if not table:
        return {}
    hints = get_type_hints(kind)
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


def _names(experiment: Experiment) -> Iterable[str]:
    schedule, task = experiment.pipeline.schedule, experiment.training.task
    if schedule not in (*SCHEDULES.names(), FILE):
        yield f"pipeline.schedule: {unknown('schedule', schedule, SCHEDULES.names())}"
    if task not in (*TASKS.names(), "none"):
        yield f"training.task: {unknown('task', task, [*TASKS.names(), 'none'])}"


def _sizes(experiment: Experiment) -> Iterable[str]:
    pipeline, training = experiment.pipeline, experiment.training
    if pipeline.stages * pipeline.minibatches * pipeline.microbatches * 2 > LARGEST:
        yield (f"pipeline: stages x minibatches x microbatches makes more than {LARGEST} "
               "instructions")
    if training.task == "digits-mlp" and training.batch_size % pipeline.microbatches:
        yield (f"pipeline.microbatches: divides training.batch_size, got {pipeline.microbatches} "
               f"and {training.batch_size}")
    if pipeline.stages % pipeline.chunks:
        yield (f"pipeline.chunks: divides pipeline.stages, got {pipeline.chunks} and "
               f"{pipeline.stages}")
    if training.layers is not None and training.layers < pipeline.stages:
        yield (f"training.layers: every stage owns at least one weight layer, got "
               f"{training.layers} layers and {pipeline.stages} stages")
    for section, names, expected, what in (
        ("costs", ("forward_s", "backward_s", "update_s", "recompute_s"), pipeline.stages,
         "stage"),
        ("cluster", ("activation_bytes",), pipeline.stages, "stage"),
        ("cluster", ("boundary_bytes",), pipeline.stages - 1, "boundary between stages"),
    ):
        for name in names:
            value = getattr(getattr(experiment, section), name)
            if isinstance(value, list) and len(value) != expected:
                yield (f"{section}.{name}: one number per {what}, so {expected}, got "
                       f"{len(value)}")


def _workers(experiment: Experiment) -> Iterable[str]:
    workers, pipeline = experiment.workers, experiment.pipeline
    if pipeline.minibatches % workers.count:
        yield (f"workers.count: divides pipeline.minibatches, got {workers.count} and "
               f"{pipeline.minibatches}")
    if isinstance(workers.slowdown, list) and len(workers.slowdown) != workers.count:
        yield (f"workers.slowdown: one number per worker, so {workers.count}, got "
               f"{len(workers.slowdown)}")
    if workers.count > 1 and pipeline.dispatch == "greedy":
        yield "pipeline.dispatch: greedy dispatch takes one worker; choose static"
    try:
        make_combine(workers.combine)
    except ConfigurationError as error:
        yield from error.problems


def _optimizer(experiment: Experiment) -> Iterable[str]:
    try:
        make_optimizer(experiment.training.optimizer)
    except ConfigurationError as error:
        yield from error.problems


def _order(experiment: Experiment) -> Iterable[str]:
    """Whether the schedule, which is known, has an order for the shape, which is one."""
    schedule = experiment.pipeline.schedule
    try:
        if schedule != FILE:
            SCHEDULES[schedule].check(experiment.shape)
    except ValueError as error:
        yield f"pipeline.schedule: {error}"


def _stragglers(experiment: Experiment) -> Iterable[str]:
    for number, window in enumerate(experiment.costs.stragglers):
        path = f"costs.stragglers.{number}"
        if window.stage >= experiment.pipeline.stages:
            yield (f"{path}.stage: stages are 0 to {experiment.pipeline.stages - 1}, got "
                   f"{window.stage}")
        if window.to_s <= window.from_s:
            yield f"{path}.to_s: comes after from_s"


def _mitigation(experiment: Experiment) -> Iterable[str]:
    pipeline = experiment.pipeline
    try:
        mitigation = make_mitigation(pipeline.mitigation)
        if not pipeline.stages % pipeline.chunks:
            shape = PipelineShape(pipeline.stages, pipeline.minibatches, pipeline.microbatches,
                                  pipeline.chunks, in_flight=pipeline.in_flight)
            mitigation.check(Setting(pipeline.schedule, shape))
    except ConfigurationError as error:
        yield from error.problems
    except ValueError as error:
        yield f"pipeline.mitigation: {error}"


def read_document(path: str | Path | None) -> dict[str, Any]:
    """A TOML file as a plain document, unchecked.  Raises ConfigurationError."""
    if path is None:
        return {}
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError([f"{path}: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise ConfigurationError([f"{path}: not a UTF-8 text file"]) from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError([f"{path}: not TOML: {error}"]) from None


def apply_setting(document: dict[str, Any], setting: str) -> None:
    """Put `KEY=VALUE` into a document; the key is dotted, or bare where one section has it.

    The value is TOML (`3`, `[1, 2]`, `{ name = "stash" }`), anything else is taken as a string.
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
    """The dotted path of a key; a bare key's where one section alone has it."""
    if "." in key:
        return key
    homes = [name for name, section in Experiment.model_fields.items()
             if key in getattr(section.annotation, "model_fields", {})]
    return f"{homes[0]}.{key}" if len(homes) == 1 else key
