"""The configuration's tables and keys, their defaults and ranges."""

from __future__ import annotations

from textwrap import shorten
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from sim.numerics.optimizers import Convention
from sim.numerics.stage import Backward
from sim.order.shape import PipelineShape

STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)
Seconds = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
Bytes = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]

# Tagged, so that a wrong value is reported once, as what it was meant to be
NUMBER_OR_LIST = Discriminator(lambda value: "#list" if isinstance(value, list) else "#number")
NAME_OR_TABLE = Discriminator(lambda value: "#table" if isinstance(value, dict) else "#name")
SecondsPerStage = Annotated[
    Annotated[Seconds, Tag("#number")] | Annotated[list[Seconds], Tag("#list")], NUMBER_OR_LIST]
BytesPerStage = Annotated[
    Annotated[Bytes, Tag("#number")] | Annotated[list[Bytes], Tag("#list")], NUMBER_OR_LIST]
Slowdown = Annotated[float, Field(gt=0, le=1e4)]
SlowdownPerWorker = Annotated[
    Annotated[Slowdown, Tag("#number")] | Annotated[list[Slowdown], Tag("#list")], NUMBER_OR_LIST]
NamedTable = Annotated[
    Annotated[str, Tag("#name")] | Annotated[dict[str, Any], Tag("#table")], NAME_OR_TABLE]


class Pipeline(BaseModel):
    """Order: what runs after what, and which weights it uses."""

    model_config = STRICT
    schedule: str = "round-robin"
    stages: Annotated[int, Field(ge=1, le=4096)] = 3
    minibatches: Count = 60
    microbatches: Count = 1
    mitigation: NamedTable = "none"
    backward: Backward = "graph"
    dispatch: Literal["static", "greedy"] = "static"
    chunks: Count = 1
    in_flight: Count | None = None


class Workers(BaseModel):
    """Copies of the whole pipeline that learn together: how many, and how they combine."""

    model_config = STRICT
    count: Annotated[int, Field(ge=1, le=1024)] = 1
    combine: NamedTable = "all-reduce"
    slowdown: SlowdownPerWorker = 1.0
    sync_latency_s: Seconds | None = None
    sync_bandwidth_bytes_per_s: Annotated[float, Field(gt=0)] | None = None


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
    forward_s: SecondsPerStage = 1.0
    backward_s: SecondsPerStage = 1.0
    update_s: SecondsPerStage = 0.0
    recompute_s: SecondsPerStage | None = None
    profile: str | None = None
    jitter: Jitter | None = None
    stragglers: list[StragglerWindow] = []


class ClusterOptions(BaseModel):
    """Links between neighbours, message sizes, activation memory of each device."""

    model_config = STRICT
    latency_s: Seconds = 0.0
    bandwidth_bytes_per_s: Annotated[float, Field(gt=0)] | None = None
    boundary_bytes: BytesPerStage | None = None
    activation_bytes: BytesPerStage | None = None
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
    optimizer: NamedTable = "momentum"
    batch_size: Annotated[int, Field(ge=1, le=100_000)] = 32
    width: Annotated[int, Field(ge=1, le=16_384)] = 64
    layers: Annotated[int, Field(ge=1, le=4096)] | None = None
    curvatures: Annotated[list[Annotated[float, Field(gt=0, allow_inf_nan=False)]],
                          Field(min_length=1)] = [1.0]
    seed: Annotated[int, Field(ge=0)] = 0
    distances: bool = True
    evaluate_every: Annotated[int, Field(ge=0)] = 0


class Experiment(BaseModel):
    """One run, resolved: defaults filled in.  `resolve` in `configuration` makes checked ones."""

    model_config = STRICT
    pipeline: Pipeline = Pipeline()
    costs: Costs = Costs()
    cluster: ClusterOptions = ClusterOptions()
    training: Training = Training()
    workers: Workers = Workers()

    @property
    def shape(self) -> PipelineShape:
        """Raises ValueError with the rule broken."""
        p = self.pipeline
        return PipelineShape(p.stages, p.minibatches, p.microbatches, p.chunks,
                             self.workers.count, p.in_flight)

    def __repr__(self) -> str:
        given = self.model_dump(mode="python", exclude_unset=True)
        shown = ", ".join(f"{section}={table}" for section, table in given.items())
        return f"Experiment({shorten(shown, 240, placeholder=' …')})"

    __str__ = __repr__
