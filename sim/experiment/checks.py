"""Checks across the tables of a configuration: names, lengths, and whether the order exists."""

from __future__ import annotations

from collections.abc import Iterable

from sim.errors import ConfigurationError, unknown
from sim.experiment.making import make_combine, make_mitigation, make_optimizer
from sim.experiment.tables import Tables
from sim.experiment.values.drifting import CostTrend, StragglerWindow
from sim.mitigations import Setting
from sim.numerics.tasks import TASKS
from sim.op import Op
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES

FILE = "file"  # the schedule of a program that was given, not generated
LARGEST = 20_000_000  # instructions; beyond this a mistyped number would only fill the memory


def problems_of(tables: Tables) -> list[str]:
    """Everything wrong with tables that are well typed each by itself, as lines `key: message`.

    Their order is fixed.
    """
    problems = [*_names(tables), *_sizes(tables), *_shape(tables), *_factors(tables),
                *_drifts(tables),
                *_workers(tables), *_ties(tables), *_tensor(tables), *_optimizer(tables)]
    return [*problems, *(_order(tables) if not problems else []), *_mitigation(tables)]


def _names(tables: Tables) -> Iterable[str]:
    schedule, task = tables.pipeline.schedule, tables.training.task
    if schedule not in (*SCHEDULES.names(), FILE):
        yield f"pipeline.schedule: {unknown('schedule', schedule, SCHEDULES.names())}"
    if task not in (*TASKS.names(), "none"):
        yield f"training.task: {unknown('task', task, [*TASKS.names(), 'none'])}"


def _sizes(tables: Tables) -> Iterable[str]:
    pipeline, training = tables.pipeline, tables.training
    if pipeline.stages * pipeline.minibatches * pipeline.microbatches * 2 > LARGEST:
        yield (f"pipeline: stages x minibatches x microbatches makes more than {LARGEST} "
               "instructions")
    if training.task == "digits-mlp" and training.batch_size % pipeline.microbatches:
        yield (f"pipeline.microbatches: divides training.batch_size, got {pipeline.microbatches} "
               f"and {training.batch_size}")
    if pipeline.ranks is None and pipeline.stages % pipeline.chunks:
        yield (f"pipeline.chunks: divides pipeline.stages, got {pipeline.chunks} and "
               f"{pipeline.stages}")
    if training.layers is not None and training.layers < pipeline.stages:
        yield (f"training.layers: every stage owns at least one weight layer, got "
               f"{training.layers} layers and {pipeline.stages} stages")
    for section, names, expected, what in (
        ("costs", ("forward_s", "backward_s", "update_s", "recompute_s", "input_backward_s",
                   "weight_backward_s", "overlapped_s"), pipeline.stages, "stage"),
        ("cluster", ("activation_bytes",), pipeline.stages, "stage"),
        ("workers", ("sync_latency_s", "sync_bandwidth_bytes_per_s"), pipeline.stages, "stage"),
        ("tensor", ("ways", "forward_all_reduces", "backward_all_reduces", "all_reduce_bytes"),
         pipeline.stages, "stage"),
        ("cluster", ("boundary_bytes", "latency_s", "bandwidth_bytes_per_s"), pipeline.stages - 1,
         "boundary between stages"),
    ):
        for name in names:
            value = getattr(getattr(tables, section), name)
            if isinstance(value, list) and len(value) != expected:
                yield (f"{section}.{name}: one number per {what}, so {expected}, got "
                       f"{len(value)}")


def _workers(tables: Tables) -> Iterable[str]:
    workers, pipeline = tables.workers, tables.pipeline
    if pipeline.minibatches % workers.count:
        yield (f"workers.count: divides pipeline.minibatches, got {workers.count} and "
               f"{pipeline.minibatches}")
    if isinstance(workers.slowdown, list) and len(workers.slowdown) != workers.count:
        yield (f"workers.slowdown: one number per worker, so {workers.count}, got "
               f"{len(workers.slowdown)}")
    if workers.count > 1 and pipeline.dispatch == "greedy":
        yield "pipeline.dispatch: greedy dispatch takes one worker; choose static"
    try:
        rule = make_combine(workers.combine)
    except ConfigurationError as error:
        yield from error.problems
    else:
        if workers.overlap and rule.holds is not Op.U:
            yield (f"workers.overlap: under workers.combine = {rule.name!r} forwards wait for "
                   "other workers, not updates; choose all-reduce")


def _ties(tables: Tables) -> Iterable[str]:
    stages = tables.pipeline.stages
    for number, (one, other) in enumerate(tie.stages for tie in tables.cluster.tied):
        if one == other or max(one, other) >= stages:
            yield (f"cluster.tied.{number}.stages: two stages from 0 to {stages - 1}, got "
                   f"{one} and {other}")


def _tensor(tables: Tables) -> Iterable[str]:
    """Whether devices that share a layer can: each takes whole attention heads."""
    tensor = tables.tensor
    ways = tensor.ways if isinstance(tensor.ways, list) else [tensor.ways]
    if tensor.transformer is None:
        return
    heads = tensor.transformer.heads
    for number in sorted(set(ways)):
        if heads % number:
            yield f"tensor.ways: divides tensor.transformer.heads, got {number} and {heads}"
    if tensor.split_share is not None:
        yield ("tensor.split_share: tensor.transformer says what share of activations is split; "
               "give one of them")


def _optimizer(tables: Tables) -> Iterable[str]:
    try:
        make_optimizer(tables.training.optimizer)
    except ConfigurationError as error:
        yield from error.problems


def _order(tables: Tables) -> Iterable[str]:
    """Whether the schedule, which is known, has an order for the shape, which is one."""
    schedule = tables.pipeline.schedule
    try:
        if schedule != FILE:
            SCHEDULES[schedule].check(tables.shape)
    except ValueError as error:
        yield f"pipeline.schedule: {error}"
        return
    if (schedule != FILE and tables.pipeline.dispatch == "greedy"
            and SCHEDULES[schedule].has_copies(tables.shape)):
        yield "pipeline.dispatch: greedy dispatch takes one home a stage; choose static"


def _own_shape(tables: Tables) -> PipelineShape | None:
    """The shape of one worker with all mini-batches; None where there is none such."""
    pipeline = tables.pipeline
    try:
        return PipelineShape(pipeline.stages, pipeline.minibatches, pipeline.microbatches,
                             pipeline.chunks, **tables.options)
    except ValueError:
        return None


def _shape(tables: Tables) -> Iterable[str]:
    """Whether what is asked for is a shape at all, once every number of it is right by itself."""
    pipeline = tables.pipeline
    if not pipeline.stages % pipeline.chunks and not pipeline.minibatches % tables.workers.count:
        try:
            _ = tables.shape
        except ValueError as error:
            yield f"pipeline: {error}"


def _factors(tables: Tables) -> Iterable[str]:
    """Whether factors on micro-batches and devices are as many as there are of those."""
    costs, pipeline = tables.costs, tables.pipeline
    if len(costs.microbatch_scale) > pipeline.microbatches:
        yield (f"costs.microbatch_scale: one number per micro-batch of a mini-batch, so up to "
               f"{pipeline.microbatches}, got {len(costs.microbatch_scale)}")
    shape = _own_shape(tables)
    factors = costs.device_factor
    if shape is not None and isinstance(factors, list) and len(factors) != shape.worker_devices:
        yield (f"costs.device_factor: one number per device of a worker, so "
               f"{shape.worker_devices}, got {len(factors)}")


def _drifts(tables: Tables) -> Iterable[str]:
    """Whether stages that are slow for some time, or drift, exist, and their times are in order."""
    costs, stages = tables.costs, tables.pipeline.stages
    found: list[tuple[str, StragglerWindow | CostTrend]] = [
        *((f"costs.stragglers.{number}", each) for number, each in enumerate(costs.stragglers)),
        *((f"costs.trends.{number}", each) for number, each in enumerate(costs.trends))]
    for path, each in found:
        if each.stage >= stages:
            yield f"{path}.stage: stages are 0 to {stages - 1}, got {each.stage}"
        if isinstance(each, StragglerWindow) and each.to_s <= each.from_s:
            yield f"{path}.to_s: comes after from_s"
        elif each.to_s < each.from_s:
            yield f"{path}.to_s: does not come before from_s"


def _mitigation(tables: Tables) -> Iterable[str]:
    pipeline = tables.pipeline
    try:
        mitigation = make_mitigation(pipeline.mitigation)
        if (shape := _own_shape(tables)) is not None:
            mitigation.check(Setting(pipeline.schedule, shape))
    except ConfigurationError as error:
        yield from error.problems
    except ValueError as error:
        yield f"pipeline.mitigation: {error}"
