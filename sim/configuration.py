"""The configuration of one experiment: TOML, strict, every error listed with its path."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from sim.mitigations import MITIGATIONS, Mitigation, Setting
from sim.numeric import TASKS
from sim.optim import Convention
from sim.program import PipelineShape
from sim.schedules import SCHEDULES
from sim.stage import Backward

STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)
Seconds = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
PerStage = Seconds | list[Seconds]
Bytes = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
LARGEST = 20_000_000  # instructions; beyond this a mistyped number would only fill the memory


class Pipeline(BaseModel):
    """Order: what runs after what, and which weights it uses."""

    model_config = STRICT
    schedule: str = "round-robin"
    stages: Annotated[int, Field(ge=1, le=4096)] = 3
    minibatches: Count = 60
    microbatches: Count = 1
    mitigation: str | dict[str, Any] = "none"
    backward: Backward = "graph"
    dispatch: Literal["static", "greedy"] = "static"

    @property
    def shape(self) -> PipelineShape:
        return PipelineShape(self.stages, self.minibatches, self.microbatches)


class Jitter(BaseModel):
    """Lognormal noise of mean 1 on every duration."""

    model_config = STRICT
    sigma: Annotated[float, Field(ge=0, le=3)]


class StragglerWindow(BaseModel):
    """Instructions of `stage` starting in [from_s, to_s) take `factor` times as long."""

    model_config = STRICT
    stage: Annotated[int, Field(ge=0)]
    from_s: Seconds
    to_s: Seconds
    factor: Annotated[float, Field(gt=0, le=1e4)]


class Costs(BaseModel):
    """Time: seconds of one instruction, a number or one per stage."""

    model_config = STRICT
    forward_s: PerStage = 1.0
    backward_s: PerStage = 1.0
    update_s: PerStage = 0.0
    recompute_s: PerStage | None = None
    profile: str | None = None
    jitter: Jitter | None = None
    stragglers: list[StragglerWindow] = []


class ClusterOptions(BaseModel):
    """Links between neighbours, message sizes, activation memory of each device."""

    model_config = STRICT
    latency_s: Seconds = 0.0
    bandwidth_bytes_per_s: Annotated[float, Field(gt=0)] | None = None
    boundary_bytes: Bytes | list[Bytes] | None = None
    activation_bytes: Bytes | list[Bytes] | None = None
    activation_limit_bytes: Annotated[float, Field(gt=0)] | None = None


class RateSchedule(BaseModel):
    """How the learning rate moves with the updates of a stage."""

    model_config = STRICT
    name: Literal["constant", "step", "cosine"] = "constant"
    every: Count = 1000
    factor: Annotated[float, Field(gt=0, le=1)] = 0.1
    warmup: Annotated[int, Field(ge=0)] = 0


class Training(BaseModel):
    """Numerics: what is learnt, and how."""

    model_config = STRICT
    task: str = "digits-mlp"
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.05
    rate_schedule: RateSchedule = RateSchedule()
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    convention: Convention = "ema"
    batch_size: Annotated[int, Field(ge=1, le=100_000)] = 32
    width: Annotated[int, Field(ge=1, le=16_384)] = 64
    layers: Count | None = None
    curvatures: list[Annotated[float, Field(gt=0, allow_inf_nan=False)]] = [1.0]
    seed: Annotated[int, Field(ge=0)] = 0
    distances: bool = True
    evaluate_every: Annotated[int, Field(ge=0)] = 0


class Experiment(BaseModel):
    """One run, resolved: defaults filled in."""

    model_config = STRICT
    pipeline: Pipeline = Pipeline()
    costs: Costs = Costs()
    cluster: ClusterOptions = ClusterOptions()
    training: Training = Training()

    @property
    def mitigation(self) -> Mitigation:
        return make_mitigation(self.pipeline.mitigation)

    def checked(self) -> Experiment:
        """Raise ConfigurationError where names, sizes or rules do not fit together."""
        problems = list(_problems(self))
        if problems:
            raise ConfigurationError(problems)
        return self


class ConfigurationError(ValueError):
    """Everything wrong with a configuration, one `path: message` each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(self.problems)


def make_mitigation(entry: str | dict[str, Any]) -> Mitigation:
    """A mitigation from its name, or from a table with its name and parameters.

    Raises ConfigurationError.
    """
    table = {"name": entry} if isinstance(entry, str) else dict(entry)
    where = "pipeline.mitigation"
    if not isinstance(table.get("name"), str):
        raise ConfigurationError([f"{where}.name: missing; choose from "
                                  f"{', '.join(MITIGATIONS.names())}"])
    try:
        kind = MITIGATIONS[table.pop("name")]
    except ValueError as error:
        raise ConfigurationError([f"{where}: {error}"]) from None
    known = [f.name for f in fields(kind)]
    unknown = [key for key in table if key not in known]
    if unknown:
        choices = ", ".join(known) or "none"
        raise ConfigurationError([f"{where}.{key}: {kind.name} has no such parameter; it takes: "
                                  f"{choices}" for key in unknown])
    try:
        return TypeAdapter(kind).validate_python(table)
    except ValidationError as errors:
        raise ConfigurationError(_listed(errors, where)) from None


def _problems(experiment: Experiment) -> Iterable[str]:
    pipeline, training = experiment.pipeline, experiment.training
    if pipeline.schedule not in (*SCHEDULES.names(), "file"):
        yield _unknown("pipeline.schedule", "schedule", pipeline.schedule, SCHEDULES.names())
    if training.task not in (*TASKS.names(), "none"):
        yield _unknown("training.task", "task", training.task, [*TASKS.names(), "none"])
    if pipeline.stages * pipeline.minibatches * pipeline.microbatches * 2 > LARGEST:
        yield (f"pipeline: stages x minibatches x microbatches makes more than {LARGEST} "
               "instructions")
    if training.task == "digits-mlp" and training.batch_size % pipeline.microbatches:
        yield (f"pipeline.microbatches: divides training.batch_size, got {pipeline.microbatches} "
               f"and {training.batch_size}")
    if training.layers is not None and training.layers < pipeline.stages:
        yield (f"training.layers: every stage owns at least one weight layer, got "
               f"{training.layers} layers and {pipeline.stages} stages")
    yield from _lengths(experiment)
    for number, window in enumerate(experiment.costs.stragglers):
        if window.stage >= pipeline.stages:
            yield (f"costs.stragglers.{number}.stage: stages are 0 to {pipeline.stages - 1}, got "
                   f"{window.stage}")
        if window.to_s <= window.from_s:
            yield f"costs.stragglers.{number}.to_s: comes after from_s"
    try:
        experiment.mitigation.check(Setting(pipeline.schedule, pipeline.shape))
    except ConfigurationError as error:
        yield from error.problems
    except ValueError as error:
        yield f"pipeline.mitigation: {error}"


def _lengths(experiment: Experiment) -> Iterable[str]:
    stages = experiment.pipeline.stages
    for section, names, expected, what in (
        ("costs", ("forward_s", "backward_s", "update_s", "recompute_s"), stages, "stage"),
        ("cluster", ("activation_bytes",), stages, "stage"),
        ("cluster", ("boundary_bytes",), stages - 1, "boundary between stages"),
    ):
        for name in names:
            value = getattr(getattr(experiment, section), name)
            if isinstance(value, list) and len(value) != expected:
                yield (f"{section}.{name}: one number per {what}, so {expected}, got "
                       f"{len(value)}")


def _unknown(path: str, kind: str, name: str, choices: list[str]) -> str:
    close = difflib.get_close_matches(name, choices, 1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    return f"{path}: {kind} {name!r} is unknown{hint}; choose from {', '.join(choices)}"


def _listed(errors: ValidationError, prefix: str = "") -> list[str]:
    """pydantic's errors as `path: message, got value`; unions report once."""
    said: dict[str, str] = {}
    for error in errors.errors():
        parts = [str(p) for p in error["loc"]
                 if not (isinstance(p, str) and ("[" in p or p in _UNION_MEMBERS))]
        path = ".".join(([prefix] if prefix else []) + parts)
        message = error["msg"][0].lower() + error["msg"][1:]
        if error["type"] == "extra_forbidden":
            message = _no_such_key(path)
        elif error["type"] != "missing":
            message += f", got {error['input']!r}"[:120]
        said.setdefault(path, message)
    return [f"{path}: {message}" for path, message in said.items()]


_UNION_MEMBERS = ("float", "str", "int", "none")


def _no_such_key(path: str) -> str:
    *sections, key = path.split(".")
    model: Any = Experiment
    for section in sections:
        known = getattr(model, "model_fields", {}).get(section)
        model = known.annotation if known else None
    choices = sorted(getattr(model, "model_fields", {}))
    return _unknown("", "key", key, choices).removeprefix(": ")


def read_experiment(path: str | Path | None, settings: Iterable[str] = ()) -> Experiment:
    """The experiment of a TOML file (None: the default one) with `KEY=VALUE` settings applied.

    Raises ConfigurationError with every problem.
    """
    document = _document(path)
    for setting in settings:
        apply_setting(document, setting)
    return resolve(document)


def resolve(document: dict[str, Any]) -> Experiment:
    """Check a plain document against the configuration.  Raises ConfigurationError."""
    try:
        experiment = Experiment.model_validate(document)
    except ValidationError as errors:
        raise ConfigurationError(_listed(errors)) from None
    return experiment.checked()


def _document(path: str | Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError([f"{path}: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise ConfigurationError([f"{path}: not a UTF-8 text file"]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([f"{path}: not TOML: {error}"]) from None


def apply_setting(document: dict[str, Any], setting: str) -> None:
    """Put `KEY=VALUE` into a document; the key is dotted, or bare where one section has it.

    The value is TOML (`3`, `[1, 2]`, `{ name = "stash" }`), anything else is taken as a string.
    Raises ConfigurationError.
    """
    key, equals, text = setting.partition("=")
    path = _full_key(key.strip())
    if not equals or not path:
        raise ConfigurationError([f"--set {setting}: write KEY=VALUE, e.g. pipeline.stages=8"])
    *sections, last = path.split(".")
    here: Any = document
    for section in sections:
        here = here.setdefault(section, {}) if isinstance(here, dict) else None
    if not isinstance(here, dict):
        raise ConfigurationError([f"{path}: {'.'.join(sections)} is not a table"])
    here[last] = toml_value(text.strip())


def toml_value(text: str) -> Any:
    """`text` read as a TOML value; as a string where it is none."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    return parsed["value"] if set(parsed) == {"value"} else text


def _full_key(key: str) -> str:
    if "." in key:
        return key
    homes = [name for name, section in Experiment.model_fields.items()
             if key in getattr(section.annotation, "model_fields", {})]
    return f"{homes[0]}.{key}" if len(homes) == 1 else key
