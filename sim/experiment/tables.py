"""The configuration's tables and keys: their defaults and ranges, and what each bears on."""

from __future__ import annotations

from collections.abc import Hashable
from enum import Flag, auto
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from sim.numerics.optimizers import Convention
from sim.numerics.stage import Backward
from sim.order.shape import PipelineShape

STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)
# Bounds keep every sum finite and every whole number within 64 bits: a number beyond one of them
# is a slip of the finger, and would end in an overflow far from the key it stands at
MOST_BYTES, MOST_COUNT, MOST_SEED = 1e15, 10**9, 2**62
MOST_MOMENTUM = 1 - 1e-6
Seconds = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
Bytes = Annotated[float, Field(ge=0, le=MOST_BYTES, allow_inf_nan=False)]
Room = Annotated[float, Field(gt=0)]  # bytes, inf for no limit
Bandwidth = Annotated[float, Field(ge=1e-6)]  # bytes per second, inf for no limit
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=MOST_COUNT)]
Whole = Annotated[int, Field(ge=0, le=MOST_COUNT)]

# Tagged, so that a wrong value is reported once, as what it was meant to be
NUMBER_OR_LIST = Discriminator(lambda value: "#list" if isinstance(value, list) else "#number")
NAME_OR_TABLE = Discriminator(lambda value: "#table" if isinstance(value, dict) else "#name")
SecondsPerStage = Annotated[
    Annotated[Seconds, Tag("#number")] | Annotated[list[Seconds], Tag("#list")], NUMBER_OR_LIST]
BytesPerStage = Annotated[
    Annotated[Bytes, Tag("#number")] | Annotated[list[Bytes], Tag("#list")], NUMBER_OR_LIST]
Slowdown = Annotated[float, Field(ge=1e-6, le=1e4)]
SlowdownPerWorker = Annotated[
    Annotated[Slowdown, Tag("#number")] | Annotated[list[Slowdown], Tag("#list")], NUMBER_OR_LIST]
NamedTable = Annotated[
    Annotated[str, Tag("#name")] | Annotated[dict[str, Any], Tag("#table")], NAME_OR_TABLE]


class Bears(Flag):
    """What of a run a configuration key bears on; it stands in the key's annotation.

    Runs may share whatever none of the keys that differ between them bears on.
    """

    ORDER = auto()  # what runs after what
    TIMES = auto()  # when it runs, and how large what is sent and kept is
    JITTER = auto()  # when it runs where durations are drawn, and nowhere else
    DATA = auto()  # the task: its examples and first weights
    ARRAYS = auto()  # what replicas trained side by side on one array axis must have in common
    LEARNING = auto()  # how a run learns, where replicas may differ


SIZED = Bears.TIMES | Bears.DATA | Bears.ARRAYS  # of the task, so of its messages and arrays too


class Pipeline(BaseModel):
    """The table `pipeline`: what runs after what, and which weights it uses.

    `in_flight` is the most mini-batches a worker has between forward and update (None: as many as
    the schedule wants), `chunks` the stages on a device.
    """

    model_config = STRICT
    schedule: Annotated[str, Bears.ORDER] = "round-robin"
    stages: Annotated[int, Field(ge=1, le=4096), Bears.ORDER] = 3
    minibatches: Annotated[Count, Bears.ORDER] = 60
    microbatches: Annotated[Count, Bears.ORDER] = 1
    mitigation: Annotated[NamedTable, Bears.LEARNING] = "none"
    backward: Annotated[Backward, Bears.TIMES | Bears.ARRAYS] = "graph"
    dispatch: Annotated[Literal["static", "greedy"], Bears.TIMES] = "static"
    chunks: Annotated[Count, Bears.ORDER] = 1
    in_flight: Annotated[Count | None, Bears.ORDER] = None


class Workers(BaseModel):
    """The table `workers`: copies of the whole pipeline that learn together, and how.

    `slowdown` multiplies every duration, a number or one per worker.  `sync_latency_s` in seconds
    and `sync_bandwidth_bytes_per_s` in bytes per second are those of the link workers combine
    over; None: the pipeline's link.
    """

    model_config = STRICT
    count: Annotated[int, Field(ge=1, le=1024), Bears.ORDER] = 1
    combine: Annotated[NamedTable, Bears.TIMES | Bears.LEARNING] = "all-reduce"
    slowdown: Annotated[SlowdownPerWorker, Bears.TIMES] = 1.0
    sync_latency_s: Annotated[Seconds | None, Bears.TIMES] = None
    sync_bandwidth_bytes_per_s: Annotated[Bandwidth | None, Bears.TIMES] = None


class Jitter(BaseModel):
    """Noise on every duration: a lognormal factor of mean 1, `sigma` its logarithm's deviation."""

    model_config = STRICT
    sigma: Annotated[float, Field(ge=0, le=3)]


class StragglerWindow(BaseModel):
    """A time, in seconds, in which a stage is slow: what starts on it in [from_s, to_s) takes
    `factor` times as long."""

    model_config = STRICT
    stage: Whole
    from_s: Seconds
    to_s: Seconds
    factor: Slowdown


class Costs(BaseModel):
    """The table `costs`: seconds of one instruction, a number or one per stage.

    `recompute_s` is that of running a forward again (None: the forward's).  `profile` names a file
    whose measured seconds stand in for all of these.
    """

    model_config = STRICT
    forward_s: Annotated[SecondsPerStage, Bears.TIMES] = 1.0
    backward_s: Annotated[SecondsPerStage, Bears.TIMES] = 1.0
    update_s: Annotated[SecondsPerStage, Bears.TIMES] = 0.0
    recompute_s: Annotated[SecondsPerStage | None, Bears.TIMES] = None
    profile: Annotated[str | None, Bears.TIMES] = None
    jitter: Annotated[Jitter | None, Bears.TIMES] = None
    stragglers: Annotated[list[StragglerWindow], Bears.TIMES] = []


class ClusterOptions(BaseModel):
    """The table `cluster`: links between neighbours, message sizes, memory of each device.

    `latency_s` is in seconds, `bandwidth_bytes_per_s` in bytes per second (None: no limit);
    `latency` says whether a transfer holds its link for its bytes alone and arrives later by its
    latency (`pipelined`) or holds it for both (`held`);
    `boundary_bytes` are those a micro-batch sends from a stage to the next, `activation_bytes`
    those a stage keeps of it, or makes again under `recompute` (None: those of the profile or
    task), `activation_limit_bytes` the most a device has room for (None: no limit).
    """

    model_config = STRICT
    latency_s: Annotated[Seconds, Bears.TIMES] = 0.0
    latency: Annotated[Literal["pipelined", "held"], Bears.TIMES] = "pipelined"
    bandwidth_bytes_per_s: Annotated[Bandwidth | None, Bears.TIMES] = None
    boundary_bytes: Annotated[BytesPerStage | None, Bears.TIMES] = None
    activation_bytes: Annotated[BytesPerStage | None, Bears.TIMES] = None
    activation_limit_bytes: Annotated[Room | None, Bears.TIMES] = None


class RateSchedule(BaseModel):
    """The table `training.rate_schedule`: how the learning rate moves with a stage's updates.

    `every` (updates) and `factor` are of `step`, `warmup` the updates it first grows over.
    """

    model_config = STRICT
    name: Literal["constant", "step", "cosine"] = "constant"
    every: Count = 1000
    factor: Annotated[float, Field(gt=0, le=1)] = 0.1
    warmup: Whole = 0


class Training(BaseModel):
    """The table `training`: what is learnt, and how.

    `batch_size` counts the examples of a mini-batch; `width`, `layers` and `curvatures` are of the
    task's model.  `distances` has weight distances measured, `evaluate_every` is the number of
    mini-batches between evaluations (0: one at the end).
    """

    model_config = STRICT
    task: Annotated[str, SIZED] = "digits-mlp"
    learning_rate: Annotated[Positive, Bears.LEARNING] = 0.05
    rate_schedule: Annotated[RateSchedule, Bears.LEARNING] = RateSchedule()
    momentum: Annotated[float, Field(ge=0, le=MOST_MOMENTUM), Bears.ARRAYS] = 0.9
    convention: Annotated[Convention, Bears.ARRAYS] = "ema"
    optimizer: Annotated[NamedTable, Bears.ARRAYS] = "momentum"
    batch_size: Annotated[int, Field(ge=1, le=100_000), SIZED] = 32
    width: Annotated[int, Field(ge=1, le=16_384), SIZED] = 64
    layers: Annotated[Annotated[int, Field(ge=1, le=4096)] | None, SIZED] = None
    curvatures: Annotated[list[Positive], Field(min_length=1), SIZED] = [1.0]
    seed: Annotated[int, Field(ge=0, le=MOST_SEED), Bears.JITTER | Bears.DATA] = 0
    distances: Annotated[bool, Bears.ARRAYS] = True
    evaluate_every: Annotated[Whole, Bears.ARRAYS] = 0


class Tables(BaseModel):
    """All tables of a configuration, each checked by itself; an `Experiment` is checked whole."""

    model_config = STRICT
    pipeline: Pipeline = Pipeline()
    costs: Costs = Costs()
    cluster: ClusterOptions = ClusterOptions()
    training: Training = Training()
    workers: Workers = Workers()

    @property
    def shape(self) -> PipelineShape:
        """The shape of the program asked for.  Raises ValueError with the rule it breaks."""
        p = self.pipeline
        return PipelineShape(p.stages, p.minibatches, p.microbatches, p.chunks,
                             self.workers.count, p.in_flight)


def bearing(table: type[BaseModel], key: str) -> Bears:
    """What a key of a table bears on.  Raises ValueError where its annotation does not say."""
    for each in table.model_fields[key].metadata:
        if isinstance(each, Bears):
            return each
    raise ValueError(f"{table.__name__}.{key}: its annotation says no Bears")


def alike(tables: Tables, on: Bears, *, given: bool = False) -> Hashable:
    """A key to group configurations by: equal where all keys that bear on any of `on` are equal.

    `given` also tells a key that was set from one that was left alone with the same value.
    """
    return tuple((section, key, repr(value), given and key in table.model_fields_set)
                 for section, table in tables for key, value in table
                 if bearing(type(table), key) & on)
