"""The table `tensor` of a configuration: stages whose layers several devices share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, Tag

from sim.experiment.values.kinds import (
    NUMBER_OR_LIST,
    STRICT,
    Bandwidth,
    BytesPerStage,
    Count,
    Seconds,
)
from sim.experiment.values.said import Bears, Says

MOST_WAYS = 1024
Ways = Annotated[int, Field(ge=1, le=MOST_WAYS)]
WaysOrList = Annotated[
    Annotated[Ways, Tag("#number")] | Annotated[list[Ways], Tag("#list")], NUMBER_OR_LIST]
Number = Annotated[float, Field(ge=0, le=1e6)]
NumberOrList = Annotated[
    Annotated[Number, Tag("#number")] | Annotated[list[Number], Tag("#list")], NUMBER_OR_LIST]
Share = Annotated[float, Field(ge=0, le=1)]


class Transformer(BaseModel):
    """Sizes of a transformer's layers, by which their activations split: attention `heads`, tokens
    of a `sequence`, and `hidden` numbers of each."""

    model_config = STRICT
    heads: Annotated[Count, Says("attention heads")]
    sequence: Annotated[Count, Says("tokens of a sequence", "tokens")]
    hidden: Annotated[Count, Says("numbers of a token between layers")]


class TensorOptions(BaseModel):
    """The table `tensor`: devices that share the layers of a stage, their exchanges and the ring
    they go round (seconds, bytes per second)."""

    model_config = STRICT
    ways: Annotated[WaysOrList, Bears.TIMES, Says(
        "devices that share a stage's layers, or one number per stage; each of the pipeline's "
        "devices stands for so many")] = 1
    forward_all_reduces: Annotated[NumberOrList | None, Bears.TIMES, Says(
        "all-reduces of a micro-batch's forward on a stage, or one per stage",
        unset="the profile's, else 2 for each t or m of a layout, else 2", example="4")] = None
    backward_all_reduces: Annotated[NumberOrList | None, Bears.TIMES, Says(
        "the same of a backward; of a split one all are the input half's",
        unset="the profile's, else as of a forward", example="4")] = None
    all_reduce_bytes: Annotated[BytesPerStage | None, Bears.TIMES, Says(
        "bytes of one of them, or one per stage", "bytes",
        "the profile's, else what a stage sends on (the last: what it gets)", "1e6")] = None
    ring_latency_s: Annotated[Seconds | None, Bears.TIMES, Says(
        "latency of the links between the devices of a stage", "s", "the pipeline's", "1e-5"
        )] = None
    ring_bandwidth_bytes_per_s: Annotated[Bandwidth | None, Bears.TIMES, Says(
        "bandwidth of the links between the devices of a stage", "bytes/s", "the pipeline's",
        "1e11")] = None
    sequence_parallel: Annotated[bool, Bears.TIMES, Says(
        "between split layers each device has a part of the sequence: an all-reduce is a "
        "reduce-scatter and an all-gather, and all activations and messages are split")] = False
    split_share: Annotated[Share | None, Bears.TIMES, Says(
        "share of a stage's activations that is split; the rest every device has whole",
        unset="by transformer, else 24/34", example="0.8")] = None
    transformer: Annotated[Transformer | None, Bears.TIMES, Says(
        "sizes of a transformer's layers, which say how activations split", unset="none",
        example="{ heads = 16, sequence = 1024, hidden = 2048 }")] = None
