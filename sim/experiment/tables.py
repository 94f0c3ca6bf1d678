"""The configuration's tables and keys: defaults, ranges, meaning, and what each bears on."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from sim.experiment.values.drifting import CostTrend, Jitter, StragglerWindow
from sim.experiment.values.kinds import (
    MOST_MOMENTUM,
    MOST_SEED,
    STRICT,
    BandwidthOrList,
    Bytes,
    BytesPerStage,
    Count,
    NamedTable,
    Positive,
    Room,
    SecondsPerStage,
    Slowdown,
    SlowdownOrList,
    Whole,
)
from sim.experiment.values.said import SIZED, Bears, Says
from sim.experiment.values.tensor import TensorOptions
from sim.layouts.layers import LayerCosts
from sim.numerics.optimizers import Convention
from sim.numerics.stage import Backward
from sim.order.shape import OPTIONS, PipelineShape


class Pipeline(BaseModel):
    """The table `pipeline`: what runs after what, and which weights it uses."""

    model_config = STRICT
    schedule: Annotated[str, Bears.ORDER, Says("order of the passes")] = "round-robin"
    stages: Annotated[int, Field(ge=1, le=4096), Bears.ORDER,
                      Says("parts that the network is cut into")] = 3
    minibatches: Annotated[Count, Bears.ORDER, Says(
        "mini-batches of the run, those of all workers together")] = 60
    microbatches: Annotated[Count, Bears.ORDER, Says(
        "micro-batches of a mini-batch; divides the batch size")] = 1
    mitigation: Annotated[NamedTable, Bears.LEARNING, Says(
        "rule against stale weights, or with parameters { name = \"i-timeprest\", decay = 1.0 }"
        )] = "none"
    backward: Annotated[Backward, Bears.TIMES | Bears.ARRAYS, Says(
        "a backward uses what its forward kept, or runs the forward again")] = "graph"
    dispatch: Annotated[Literal["static", "greedy"], Bears.TIMES, Says(
        "the schedule's order, or whatever can run does, backwards first")] = "static"
    chunks: Annotated[Count, Bears.ORDER, Says(
        "stages on each device (interleaved and others that take chunks); divides stages")] = 1
    in_flight: Annotated[Count | None, Bears.ORDER, Says(
        "most mini-batches of a worker between forward and update (round-robin)",
        unset="the schedule's own number", example="2")] = None
    ranks: Annotated[Count | None, Bears.ORDER, Says(
        "devices of a worker, of a program given as a file", unset="stages / chunks",
        example="2")] = None
    replicas: Annotated[list[Count] | None, Bears.ORDER, Says(
        "homes of each stage, which take mini-batches in turn", unset="one each",
        example="[2, 1, 1]")] = None
    warmup: Annotated[Count | None, Bears.ORDER, Says(
        "forwards of the first device before its first backward (1F1B orders)",
        unset="the schedule's own number", example="6")] = None
    round_size: Annotated[Count | None, Bears.ORDER, Says(
        "micro-batches of a chunk before the next chunk's turn (interleaved)",
        unset="the schedule's own number", example="5")] = None
    splits: Annotated[Count | None, Bears.ORDER, Says(
        "pieces of a sequence, each a micro-batch (seq1f1b); divides microbatches",
        unset="1", example="2")] = None
    layout: Annotated[str | None, Bears.ORDER | Bears.TIMES, Says(
        "layers of each stage as Megatron writes them: E, t, m, L, | between stages, t*3, (tt|)*3; "
        "stages are as many as it has", unset="none", example='"E,t*4|t*4|t*4,L"')] = None
    last_microbatches: Annotated[Count | None, Bears.ORDER, Says(
        "micro-batches of the last mini-batch, where it is smaller", unset="as the others",
        example="1")] = None


class Workers(BaseModel):
    """The table `workers`: copies of the whole pipeline that learn together, and their links
    (seconds, bytes per second)."""

    model_config = STRICT
    count: Annotated[int, Field(ge=1, le=1024), Bears.ORDER, Says(
        "copies of the pipeline; divides minibatches")] = 1
    combine: Annotated[NamedTable, Bears.TIMES | Bears.LEARNING, Says(
        "how they combine, or with parameters { name = \"wave\", distance = 0 }")] = "all-reduce"
    slowdown: Annotated[SlowdownOrList, Bears.TIMES, Says(
        "factor on every duration, or one per worker")] = 1.0
    sync_latency_s: Annotated[SecondsPerStage | None, Bears.TIMES, Says(
        "latency of the links between workers, or one per stage", "s", "the pipeline's", "1e-5"
        )] = None
    sync_bandwidth_bytes_per_s: Annotated[BandwidthOrList | None, Bears.TIMES, Says(
        "bandwidth of the links between workers, or one per stage", "bytes/s", "the pipeline's",
        "1e9")] = None
    overlap: Annotated[bool, Bears.TIMES, Says(
        "the exchange of a stage runs beside computing, on the link, and only the update waits"
        )] = False
    copies: Annotated[Literal["all-reduce", "apart"], Bears.TIMES | Bears.LEARNING, Says(
        "copies of a stage in one worker apply their mean gradient together, or each its own"
        )] = "all-reduce"


class Costs(BaseModel):
    """The table `costs`: seconds of one instruction, a number or one per stage."""

    model_config = STRICT
    forward_s: Annotated[SecondsPerStage, Bears.TIMES, Says(
        "of a forward of one micro-batch, or one per stage", "s")] = 1.0
    backward_s: Annotated[SecondsPerStage, Bears.TIMES, Says(
        "of one backward instruction, whatever it covers, or one per stage", "s")] = 1.0
    update_s: Annotated[SecondsPerStage, Bears.TIMES, Says(
        "of an update, or one per stage", "s")] = 0.0
    recompute_s: Annotated[SecondsPerStage | None, Bears.TIMES, Says(
        "of running a forward again (backward = \"recompute\")", "s", "forward_s", "1.0")] = None
    input_backward_s: Annotated[SecondsPerStage | None, Bears.TIMES, Says(
        "of I, the input half of a backward, or one per stage", "s", "half of backward_s", "0.5"
        )] = None
    weight_backward_s: Annotated[SecondsPerStage | None, Bears.TIMES, Says(
        "of W, the weight half of a backward, or one per stage", "s", "half of backward_s", "0.5"
        )] = None
    overlapped_s: Annotated[SecondsPerStage | None, Bears.TIMES, Says(
        "of a forward and a backward issued as one pair, or one per stage of the forward", "s",
        "their sum", "1.5")] = None
    microbatch_scale: Annotated[list[Slowdown], Field(min_length=1), Bears.TIMES, Says(
        "factor on F, B, I and W of each micro-batch of a mini-batch, repeating",
        example="[1.0, 1.0, 4.0]")] = [1.0]
    device_factor: Annotated[SlowdownOrList, Bears.TIMES, Says(
        "factor on all a device does, or one per device of a worker")] = 1.0
    profile: Annotated[str | None, Bears.TIMES, Says(
        "file of measured stages, in place of forward_s, backward_s and update_s; with a layout of "
        "layers (or PipeDream's graph.txt)", unset="none", example='"profile.json"')] = None
    per_layer: Annotated[dict[str, LayerCosts] | None, Bears.TIMES, Says(
        "what a layout's letters cost, each as a profile's stage does, and output_bytes, what it "
        "sends on", unset="none", example="{ t = { forward_s = 1.0, backward_s = 2.0 } }")] = None
    jitter: Annotated[Jitter | None, Bears.TIMES, Says(
        "noise on every duration: a lognormal factor of mean 1", unset="none",
        example="{ sigma = 0.1 }")] = None
    stragglers: Annotated[list[StragglerWindow], Bears.TIMES, Says(
        "times in which a stage is slow", unset="none",
        example="[{ stage = 1, from_s = 10.0, to_s = 20.0, factor = 3.0 }]")] = []
    trends: Annotated[list[CostTrend], Bears.TIMES, Says(
        "stages that drift to another pace and stay there", unset="none",
        example="[{ stage = 1, from_s = 10.0, to_s = 90.0, factor = 2.0 }]")] = []


class Tie(BaseModel):
    """Two stages that share weights, an embedding say: each update of either waits for the
    gradients of both, and for the exchange of `size_bytes` bytes between them."""

    model_config = STRICT
    stages: Annotated[list[Whole], Field(min_length=2, max_length=2), Says("the two stages")]
    size_bytes: Annotated[Bytes, Says("bytes of the weights they share", "bytes")] = 0.0


class ClusterOptions(BaseModel):
    """The table `cluster`: links between neighbours (seconds, bytes per second), bytes of
    messages, memory of each device (bytes)."""

    model_config = STRICT
    latency_s: Annotated[SecondsPerStage, Bears.TIMES, Says(
        "latency of a link, or one per boundary; one that is given wins over a profile's", "s",
        example="1e-5")] = 0.0
    latency: Annotated[Literal["pipelined", "held"], Bears.TIMES, Says(
        "a transfer holds its link for its bytes and arrives latency_s later, or holds it for both"
        )] = "pipelined"
    receives: Annotated[Literal["posted", "holding", "in-order"], Bears.TIMES, Says(
        "a RECV of a program is posted ahead, or holds its device until its message is there, or "
        "is posted and served in the order of its pair of devices")] = "posted"
    sends: Annotated[Literal["buffered", "rendezvous"], Bears.TIMES, Says(
        "a SEND of a program leaves at once, or waits for its RECV")] = "buffered"
    bandwidth_bytes_per_s: Annotated[BandwidthOrList | None, Bears.TIMES, Says(
        "bandwidth of a link, which carries one transfer at a time each way, or one per boundary",
        "bytes/s",
        "the profile's, else no limit", "1e9")] = None
    boundary_bytes: Annotated[BytesPerStage | None, Bears.TIMES, Says(
        "what a micro-batch sends to the next stage, or one per boundary", "bytes",
        "the profile's or the task's arrays", "7168")] = None
    tied: Annotated[list[Tie], Bears.TIMES, Says(
        "stages that share weights: their updates wait for each other's gradients", unset="none",
        example="[{ stages = [0, 2], size_bytes = 1e6 }]")] = []
    activation_bytes: Annotated[BytesPerStage | None, Bears.TIMES, Says(
        "what a stage keeps of a micro-batch, or makes again under recompute, or one per stage",
        "bytes", "the profile's or the task's arrays", "14336")] = None
    activation_limit_bytes: Annotated[Room | None, Bears.TIMES, Says(
        "room of a device for them: what does not fit waits (greedy) or cannot run (static)",
        "bytes", "no limit", "1e6")] = None


class RateSchedule(BaseModel):
    """The table `training.rate_schedule`: how the learning rate moves with a stage's updates."""

    model_config = STRICT
    name: Annotated[Literal["constant", "step", "cosine"], Says(
        "how the rate moves after its warm-up")] = "constant"
    every: Annotated[Count, Says("updates between the steps of step", "updates")] = 1000
    factor: Annotated[float, Field(gt=0, le=1), Says("what a step of step multiplies by")] = 0.1
    warmup: Annotated[Whole, Says("updates over which it grows first", "updates")] = 0


class Training(BaseModel):
    """The table `training`: what is learnt, and how."""

    model_config = STRICT
    task: Annotated[str, SIZED, Says(
        "what is learnt; under none timing and versions alone")] = "digits-mlp"
    learning_rate: Annotated[Positive, Bears.LEARNING, Says("step of an update")] = 0.05
    rate_schedule: Annotated[RateSchedule, Bears.LEARNING, Says(
        "how the rate moves with a stage's updates", unset="constant",
        example='{ name = "cosine", warmup = 10 }')] = RateSchedule()
    momentum: Annotated[float, Field(ge=0, le=MOST_MOMENTUM), Bears.ARRAYS, Says(
        "γ of the velocity v, β₁ of Adam")] = 0.9
    convention: Annotated[Convention, Bears.ARRAYS, Says(
        "v = γv + (1−γ)g, or v = γv + g")] = "ema"
    optimizer: Annotated[NamedTable, Bears.ARRAYS, Says(
        "how a step is made, or with parameters { name = \"adam\", second = 0.999 }")] = "momentum"
    batch_size: Annotated[int, Field(ge=1, le=100_000), SIZED, Says(
        "examples of a mini-batch", "examples")] = 32
    width: Annotated[int, Field(ge=1, le=16_384), SIZED, Says(
        "units of a hidden layer (digits-mlp)")] = 64
    layers: Annotated[Annotated[int, Field(ge=1, le=4096)] | None, SIZED, Says(
        "weight layers (digits-mlp)", unset="one per stage, at least 3", example="8")] = None
    curvatures: Annotated[list[Positive], Field(min_length=1), SIZED, Says(
        "of each direction of a stage's weights (quadratic)", example="[0.1, 1.0]")] = [1.0]
    seed: Annotated[int, Field(ge=0, le=MOST_SEED), Bears.JITTER | Bears.DATA, Says(
        "of data, first weights and jitter, a generator each")] = 0
    distances: Annotated[bool, Bears.ARRAYS, Says("measure weight distances")] = True
    evaluate_every: Annotated[Whole, Bears.ARRAYS, Says(
        "mini-batches between evaluations; 0: one at the end", "mini-batches")] = 0


class Tables(BaseModel):
    """All tables of a configuration, each checked by itself; an `Experiment` is checked whole."""

    model_config = STRICT
    pipeline: Pipeline = Pipeline()
    costs: Costs = Costs()
    cluster: ClusterOptions = ClusterOptions()
    training: Training = Training()
    workers: Workers = Workers()
    tensor: TensorOptions = TensorOptions()

    @property
    def shape(self) -> PipelineShape:
        """The shape of the program asked for.  Raises ValueError with the rule it breaks."""
        p = self.pipeline
        return PipelineShape(p.stages, p.minibatches, p.microbatches, p.chunks, self.workers.count,
                             **self.options)

    @property
    def options(self) -> dict[str, Any]:
        """What of the shape is left to the schedule where it is None."""
        found = {name: getattr(self.pipeline, name) for name in OPTIONS}
        if found["replicas"] is not None:
            found["replicas"] = tuple(found["replicas"])
        return found


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
