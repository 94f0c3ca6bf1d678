"""The header of a trace: what ran, as typed values that are checked when a file is read.

In the file it is one JSON object.  Keys that no field is named after, of a newer or older tool,
are kept in `extra` and written back.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from types import NoneType, UnionType
from typing import Any, Self, get_args, get_origin, get_type_hints

from sim.errors import TraceError
from sim.order.shape import MOST_RANKS, PipelineShape

Table = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """A table of a trace's header: a field for each key this tool knows, `extra` for any other."""

    extra: Table = field(default_factory=dict, kw_only=True)

    @classmethod
    def of(cls, table: Mapping[str, Any], above: str = "") -> Self:
        """The typed value of a table as JSON has it, which stands at the dotted path `above`.

        Raises TraceError naming the first key that is missing or holds something else.
        """
        hints = get_type_hints(cls)
        known = {each.name: each for each in fields(cls) if each.name != "extra"}
        values: Table = {}
        for name, each in known.items():
            if name in table:
                values[name] = _read(hints[name], table[name], f"{above}{name}")
            elif _required(each):
                raise TraceError(f"the header lacks {above}{name}")
        return cls(**values, extra={k: v for k, v in table.items() if k not in known})

    def as_dict(self) -> Table:
        """The inverse of `of`: the table as JSON has it, without the parts that are None."""
        values = {each.name: _written(getattr(self, each.name)) for each in fields(self)
                  if each.name != "extra"}
        return {name: value for name, value in values.items()
                if value is not None or name not in PARTS} | self.extra


@dataclass(frozen=True)
class StageBytes(Part):
    """How large each stage is, in bytes: its weights, the activations it keeps of one micro-batch,
    and what one micro-batch sends on to the next stage (one entry fewer).

    `recomputed_bytes` are the activations of one micro-batch that a backward makes again, and has
    beside those kept while it runs; empty where it makes none, or a trace is older than that.
    """

    weight_bytes: list[float]
    activation_bytes: list[float]
    boundary_bytes: list[float]
    recomputed_bytes: list[float] = field(default_factory=list)

    def as_dict(self) -> Table:
        """The inverse of `of`: the table as JSON has it, without what is not made again."""
        written = super().as_dict()
        if not self.recomputed_bytes:
            del written["recomputed_bytes"]
        return written


@dataclass(frozen=True)
class BetweenWorkers(Part):
    """What data-parallel workers do with each other's training, and what it costs and delays.

    `combine` names the rule by which they combine weights or gradients.  `behind_mean` and
    `behind_max` say by how many of its own mini-batches a worker is ahead of what it has seen of
    the others when a forward starts; `bytes_per_minibatch` is what passes between workers for each
    mini-batch of any of them, in bytes.
    """

    combine: str
    behind_mean: float
    behind_max: int
    bytes_per_minibatch: float


@dataclass(frozen=True)
class Learnt(Part):
    """How a training ended: losses and accuracy of the last weights (None: not known).

    `diverged_at` is the mini-batch, from 1, at which numbers were no longer finite (None: they
    stayed so), `mean_update_rmse` by stage the root mean square change of a weight in an update
    (the mean of all updates), and `examples` how many the training set has (None: no such set, or
    not recorded).
    """

    final_loss: float | None
    validation_loss: float | None
    accuracy: float | None
    diverged_at: int | None
    mean_update_rmse: list[float]
    examples: int | None = None


@dataclass(frozen=True)
class Measured(Part):
    """What only a run on real devices records; lists have an entry per device.

    `settings` are those of `python -m gpu run`, `threads` the CPU threads of an operation in torch.
    `clock` says how each device's clock was aligned with the host's, `clock_residual_s` by how
    many seconds any of that may be off.  `launch_bound_fraction` is the share of instructions whose
    pace was the host's and not the device's, `host_s` the seconds the host took to ask for all.
    `peak_bytes` and `base_bytes` are the bytes allocated at most and before the run, and
    `weights_sha256` digests of the last weights, an entry per stage.  `graphs` says whether the
    stages replayed captured graphs (None: an older run), `graphs_why` why not, where they might.
    """

    settings: Table
    devices: list[str]
    threads: int
    clock: list[Table]
    clock_residual_s: float
    launch_bound_fraction: list[float | None]
    host_s: list[float]
    peak_bytes: list[int | None]
    base_bytes: list[int | None] = field(default_factory=list)
    weights_sha256: list[str] = field(default_factory=list)
    graphs: bool | None = None
    graphs_why: str | None = None

    def as_dict(self) -> Table:
        """The inverse of `of`: the table as JSON has it, without what an older run does not say."""
        written = super().as_dict()
        return {name: value for name, value in written.items()
                if value is not None or name not in ("graphs", "graphs_why")}


@dataclass(frozen=True)
class TraceHeader(Part):
    """What explains a trace: the configuration it was made from, and what followed from that.

    `experiment` is the resolved configuration as a document, `mitigation` its mitigation's name
    with the parameters that differ from defaults, `versions_held` the peak number of weight
    versions by stage, `libraries` the version of each library that had a part in the run.
    `workers` is there where there are several, `training` where something was learnt, `gpu` of a
    run on real devices.
    """

    experiment: Table
    mitigation: str
    shape: PipelineShape
    seed: int
    versions_held: list[int]
    sizes: StageBytes
    libraries: dict[str, str]
    workers: BetweenWorkers | None = None
    training: Learnt | None = None
    gpu: Measured | None = None

    @property
    def pipeline(self) -> Table:
        """The configuration's `pipeline` table: schedule, mitigation, dispatch and so on."""
        table: Table = self.experiment["pipeline"]
        return table

    def measured(self) -> Measured:
        """What a run on real devices recorded.  Raises TraceError for a simulated run."""
        if self.gpu is None:
            raise TraceError("the trace is of a simulated run, not of one on real devices")
        return self.gpu

    @classmethod
    def of(cls, table: Mapping[str, Any], above: str = "") -> Self:
        """The header that a file's table holds.

        Raises TraceError naming the first key that is missing, the schedule's and the
        mitigation's included, or that holds something else.
        """
        header = super().of(table, above)
        for name, table in header.experiment.items():
            if name in TABLES:
                _read(Table, table, f"experiment.{name}")
        _check_ways(header)
        pipeline = header.experiment.get("pipeline", {})
        for name in ("schedule", "mitigation"):
            if name not in pipeline:
                raise TraceError(f"the header lacks experiment.pipeline.{name}")
        return header

    def as_dict(self) -> Table:
        """The inverse of `of`: the header as JSON has it."""
        written = super().as_dict()
        if self.gpu is not None and self.training is not None and self.training.examples is None:
            del written["training"]["examples"]  # a run on devices does not know
        return written


def _check_ways(header: TraceHeader) -> None:
    """Raise TraceError where it does not say how many devices share the layers of each stage."""
    ways = header.experiment.get("tensor", {}).get("ways", 1)
    each = ways if isinstance(ways, list) else [ways]
    if (len(each) not in (1, header.shape.stages)
            or not all(type(number) is int and 1 <= number <= MOST_RANKS for number in each)):
        raise TraceError(f"the header's experiment.tensor.ways: a whole number from 1 to "
                         f"{MOST_RANKS}, or one per stage, got {ways!r}"[:160])


TABLES = ("pipeline", "costs", "cluster", "training", "workers", "tensor")  # of the configuration
PARTS = ("workers", "training", "gpu")  # what a header has only where it says something
KINDS: dict[Any, tuple[tuple[type, ...], str]] = {
    str: ((str,), "text"), bool: ((bool,), "true or false"), int: ((int,), "a whole number"),
    float: ((int, float), "a number"), dict: ((dict,), "a table"), list: ((list,), "a list"),
    NoneType: ((NoneType,), "null")}


def _required(each: Field[Any]) -> bool:
    return each.default is MISSING and each.default_factory is MISSING


def _read(hint: Any, value: Any, where: str) -> Any:
    """A value as its field has it.  Raises TraceError where it is of another kind."""
    if hint is Any:
        return value
    if isinstance(hint, UnionType):
        kinds = [kind for kind in get_args(hint) if kind is not NoneType]
        return None if value is None else _read(kinds[0], value, where)
    if hint is PipelineShape:
        return _shape(_read(Table, value, where), where)
    if isinstance(hint, type) and issubclass(hint, Part):
        return hint.of(_read(Table, value, where), f"{where}.")
    kind = get_origin(hint) or hint
    types, called = KINDS[kind]
    if not isinstance(value, types) or (isinstance(value, bool) and kind is not bool):
        raise TraceError(f"the header's {where}: {called}, got {value!r}"[:160])
    if kind is float and isinstance(value, int) and abs(value) > sys.float_info.max:
        raise TraceError(f"the header's {where}: {called}, got one beyond any")
    inside = get_args(hint)[-1] if get_args(hint) else Any
    if isinstance(value, list):
        return [_read(inside, each, f"{where}.{n}") for n, each in enumerate(value)]
    if isinstance(value, dict):
        return {key: _read(inside, each, f"{where}.{key}") for key, each in value.items()}
    return value


def _shape(table: Table, where: str) -> PipelineShape:
    try:
        return PipelineShape(**table)
    except (TypeError, ValueError) as error:
        raise TraceError(f"the header's {where}: {error}") from None


def _written(value: Any) -> Any:
    return value.as_dict() if isinstance(value, Part | PipelineShape) else value
