"""One experiment from configuration to trace: order, then times, then weights."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from sim.cluster import Cluster, Link
from sim.configuration import FILE, ConfigurationError, Experiment, make_mitigation
from sim.contention import contended, contends
from sim.costs import CostModel, Floats, Straggler
from sim.engine import Timeline, simulate
from sim.instruction import Ints, Op
from sim.mitigations import Mitigation
from sim.numeric import TASKS, Task, TaskOptions, stream
from sim.optim import LearningRate, MomentumSGD
from sim.profile import Profile, ProfileError, read_profile
from sim.program import Program
from sim.schedules import SCHEDULES
from sim.stage import Stage
from sim.trace import Trace
from sim.training import TrainingResult, Watch, train
from sim.validate import execution_order
from sim.versions import VersionPlan


@dataclass(frozen=True)
class Sizes:
    """Bytes per stage: weights, activations kept of one micro-batch, and what crosses onwards."""

    weight_bytes: Floats
    activation_bytes: Floats
    boundary_bytes: Floats


def run(experiment: Experiment, program: Program | None = None, *, training: bool = True,
        watch: Watch | None = None, profile: Profile | None = None) -> Trace:
    """Simulate one experiment, or a given program under its costs, mitigation and task.

    Without `training` times and versions alone; the task still gives the sizes.  A `profile`
    given here stands in for the file `costs.profile` names.

    Raises ConfigurationError, InvalidProgramError or DeadlockError.
    """
    pipeline, options = experiment.pipeline, experiment.training
    program = program or generate(experiment)
    check_shape(experiment, program)
    profile = profile or load_profile(experiment)
    task = make_task(experiment)
    sizes = stage_sizes(experiment, profile, task)
    timeline = add_times(experiment, program, profile, sizes)
    try:
        plan = VersionPlan.of(timeline.program, make_mitigation(pipeline.mitigation),
                              pipeline.schedule)
    except ValueError as error:
        raise ConfigurationError([f"pipeline.mitigation: {error}"]) from None
    stages: list[Stage] = []
    result = None
    if task and training:
        stages = make_stages(experiment, plan, task)
        with threadpool_limits(1):  # sums in one order whatever the machine's cores
            result = train(execution_order(plan.program), stages, task, plan.program,
                           evaluate_every=options.evaluate_every, watch=watch)
    return _trace(experiment, timeline, plan, stages, result, sizes)


def add_times(experiment: Experiment, program: Program, profile: Profile | None, sizes: Sizes
              ) -> Timeline:
    """Simulate; where profiled stages share hardware a second time, slowed by each other."""
    costs, cluster = cost_model(experiment, profile), make_cluster(experiment, profile, sizes)
    seed, dispatch = experiment.training.seed, experiment.pipeline.dispatch
    alone = simulate(program, costs, cluster, stream(seed, "jitter"), dispatch)
    if profile is None or not contends(profile):
        return alone
    return simulate(program, contended(costs, profile, alone), cluster, stream(seed, "jitter"),
                    dispatch)


def generate(experiment: Experiment) -> Program:
    """The program of the experiment's schedule.  Raises ConfigurationError."""
    pipeline = experiment.pipeline
    if pipeline.schedule == FILE:
        raise ConfigurationError([f"pipeline.schedule: {FILE!r} stands for a program that is "
                                  "given; run --program FILE does"])
    return SCHEDULES[pipeline.schedule].program(pipeline.shape)


def check_shape(experiment: Experiment, program: Program) -> None:
    """Refuse a program of another shape than the experiment's.  Raises ConfigurationError."""
    shape, pipeline = program.shape, experiment.pipeline
    problems = [f"pipeline.{name}: the program given has {getattr(shape, name)}, got "
                f"{getattr(pipeline, name)}" for name in ("stages", "minibatches", "microbatches")
                if getattr(shape, name) != getattr(pipeline, name)]
    if problems:
        raise ConfigurationError(problems)


def load_profile(experiment: Experiment) -> Profile | None:
    """The profile the costs name.  Raises ConfigurationError."""
    if experiment.costs.profile is None:
        return None
    try:
        profile = read_profile(experiment.costs.profile)
    except ProfileError as error:
        raise ConfigurationError([f"costs.profile: {line}" for line in str(error).splitlines()]
                                 ) from None
    stages = experiment.pipeline.stages
    for name, have, need in (("stages", len(profile.stages), stages),
                             ("placement", len(profile.placement or ()), stages),
                             ("boundary_bytes", len(profile.boundary_bytes or ()), stages - 1)):
        if have != need and (name == "stages" or have):
            raise ConfigurationError([f"costs.profile: {experiment.costs.profile} has {have} "
                                      f"{name}, the pipeline needs {need}"])
    return profile


def make_task(experiment: Experiment) -> Task | None:
    """The problem to train on; None for timing and versions alone."""
    t = experiment.training
    if t.task == "none":
        return None
    options = TaskOptions(t.batch_size, t.width, t.layers, t.seed, tuple(t.curvatures))
    return TASKS[t.task].make(experiment.pipeline.shape, options)


def stage_sizes(experiment: Experiment, profile: Profile | None, task: Task | None) -> Sizes:
    """Sizes as configured, else as profiled, else those of the task's NumPy arrays, else 0.

    Under `recompute` a stage keeps only its input.
    """
    pipeline, cluster = experiment.pipeline, experiment.cluster
    stages, again = pipeline.stages, pipeline.backward == "recompute"
    weights, kept, boundary = (np.zeros(n) for n in (stages, stages, stages - 1))
    if task is not None:
        micro = experiment.training.batch_size // pipeline.microbatches
        weights = np.array([float(w.nbytes) for w in task.weights])
        sizes = [getattr(m, "sizes", (0, 0)) for m in task.models]
        boundary = np.array([8.0 * micro * s[-1] for s in sizes[:-1]])
        kept = np.array([8.0 * micro * (s[0] if again else sum(s)) for s in sizes])
    if profile is not None:
        key = "input_bytes" if again else "activation_bytes"
        weights = _measured(profile, "weight_bytes", weights)
        kept = _measured(profile, key, kept)
        boundary = np.array(profile.boundary_bytes or boundary, dtype=float)
    return Sizes(weights, per_stage(cluster.activation_bytes, stages, kept),
                 per_stage(cluster.boundary_bytes, stages - 1, boundary))


def _measured(profile: Profile, name: str, otherwise: Floats) -> Floats:
    values = [getattr(stage, name) for stage in profile.stages]
    return np.array([o if v is None else v for v, o in zip(values, otherwise, strict=True)])


def per_stage(value: float | Sequence[float] | None, size: int, otherwise: Floats) -> Floats:
    """A number or one per stage as an array of shape (size,)."""
    if value is None:
        return otherwise
    return np.array(np.broadcast_to(np.asarray(value, dtype=np.float64), (size,)))


def cost_model(experiment: Experiment, profile: Profile | None) -> CostModel:
    """Seconds per instruction; a profile's where one is named."""
    costs, stages = experiment.costs, experiment.pipeline.stages
    zero = np.zeros(stages)
    forward = per_stage(costs.forward_s, stages, zero)
    backward = per_stage(costs.backward_s, stages, zero)
    update = per_stage(costs.update_s, stages, zero)
    if profile is not None:
        forward, backward, update = (_measured(profile, name, zero)
                                     for name in ("forward_s", "backward_s", "update_s"))
    again = per_stage(costs.recompute_s, stages, forward)
    if profile is not None and costs.recompute_s is None:
        again = _measured(profile, "recompute_s", forward)
    if experiment.pipeline.backward == "graph":
        again = zero
    return CostModel(forward, backward, update, again, per_micro_batch=profile is not None,
                     jitter_sigma=costs.jitter.sigma if costs.jitter else 0.0,
                     stragglers=tuple(Straggler(**w.model_dump()) for w in costs.stragglers))


def make_cluster(experiment: Experiment, profile: Profile | None, sizes: Sizes) -> Cluster:
    """Links and memory; a profile's link where the configuration leaves the default."""
    options = experiment.cluster
    given = options.model_fields_set
    latency, bandwidth = options.latency_s, options.bandwidth_bytes_per_s
    if profile is not None and "latency_s" not in given:
        latency = profile.latency_s
    if profile is not None and "bandwidth_bytes_per_s" not in given:
        bandwidth = profile.bandwidth_bytes_per_s
    return Cluster(Link(latency, bandwidth or float("inf")), sizes.boundary_bytes,
                   sizes.activation_bytes, options.activation_limit_bytes or float("inf"))


def make_stages(experiment: Experiment, plan: VersionPlan, task: Task) -> list[Stage]:
    """One `Stage` per stage, around the task's models and first weights."""
    pipeline, training = experiment.pipeline, experiment.training
    schedule = training.rate_schedule
    rate = LearningRate(training.learning_rate, schedule.name, pipeline.minibatches,
                        schedule.every, schedule.factor, schedule.warmup)
    return [
        Stage(k, model, weights,
              MomentumSGD(training.momentum, training.convention, np.zeros_like(weights)),
              plan, rate, backward=pipeline.backward, distances=training.distances,
              unit_horizons=plan.unit_horizons(k))
        for k, (model, weights) in enumerate(zip(task.models, task.weights, strict=True))
    ]


def _trace(experiment: Experiment, timeline: Timeline, plan: VersionPlan,
           stages: Sequence[Stage], result: TrainingResult | None, sizes: Sizes) -> Trace:
    program = timeline.program
    read, staleness, effective = staleness_columns(plan)
    applied = plan.applied[program.rows.stage, program.rows.index]
    distance, rmse = distance_columns(program, stages)
    return Trace(
        _header(experiment, plan, stages, result, sizes), program.device, *_instruction(program),
        timeline.start_s, timeline.end_s, timeline.sent_s, timeline.arrived_s, read, applied,
        staleness, effective, distance, rmse, _curves(result))


def _instruction(program: Program) -> tuple[Ints, Ints, Ints, Ints]:
    op, stage, index, count = program.rows
    return op, stage, index, count


def staleness_columns(plan: VersionPlan) -> tuple[Ints, Floats, Floats]:
    """Version read, staleness and effective staleness by row."""
    program = plan.program
    size = len(program)
    read = plan.applied[program.rows.stage, program.rows.index]  # an update reads what it steps
    late, effective = np.zeros(size), np.zeros(size)
    for ops, versions in (((Op.F,), plan.forward), ((Op.B, Op.I), plan.backward)):
        rows, micro = program.micro_rows(*ops)
        stage = program.rows.stage[rows]
        mine = versions[stage, micro]
        gap = plan.applied[stage, micro] - mine
        np.minimum.at(read, rows, mine)
        late += np.bincount(rows, gap, size)
        share = gap.astype(np.float64)
        if Op.B in ops:
            for each in np.unique(gap):
                share[gap == each] = plan.mitigation.effective_staleness(int(each))
        effective += np.bincount(rows, share, size)
    return read, late / program.rows.count, effective / program.rows.count


def distance_columns(program: Program, stages: Sequence[Stage]) -> tuple[Floats, Floats]:
    """Relative distance and RMSE by row, the mean over what a pass covers; NaN where unknown."""
    relative, rmse = np.full(len(program), np.nan), np.full(len(program), np.nan)
    if not stages or not stages[0].measured:
        return relative, rmse
    for op, table in ((Op.F, (Op.F,)), (Op.B, (Op.B, Op.I))):
        rows, micro = program.micro_rows(*table)
        known = np.array([stage.distances(op) for stage in stages])  # (stages, 2, micro-batches)
        found = known[program.rows.stage[rows], :, micro]
        count = program.rows.count[rows]
        own = np.unique(rows)
        for values, column in zip(found.T, (rmse, relative), strict=True):
            with np.errstate(all="ignore"):
                column[own] = np.bincount(rows, values / count, len(program))[own]
    return relative, rmse


def _curves(result: TrainingResult | None) -> dict[str, Any]:
    if result is None:
        return {}
    points = result.evaluations
    values: dict[str, list[float | None]] = {"validation_loss": [p.validation_loss for p in points],
              "accuracy": [p.accuracy for p in points],
              "training_loss": [*(p.final_loss for p in points)]}
    return {"minibatch_loss": result.loss,
            "evaluated_minibatch": np.array(result.evaluated, dtype=np.int64),
            **{name: np.array([np.nan if v is None else v for v in column])
               for name, column in values.items()}}


def _header(experiment: Experiment, plan: VersionPlan, stages: Sequence[Stage],
            result: TrainingResult | None, sizes: Sizes) -> dict[str, Any]:
    shape = plan.program.shape
    header: dict[str, Any] = {
        "experiment": experiment.model_dump(),
        "mitigation": describe(plan.mitigation),
        "shape": {"stages": shape.stages, "minibatches": shape.minibatches,
                  "microbatches": shape.microbatches, "chunks": shape.chunks},
        "seed": experiment.training.seed,
        "versions_held": plan.versions_held.tolist(),
        "sizes": {"weight_bytes": sizes.weight_bytes.tolist(),
                  "activation_bytes": sizes.activation_bytes.tolist(),
                  "boundary_bytes": sizes.boundary_bytes.tolist()},
        "libraries": _libraries(),
    }
    if result is not None:
        updates = shape.minibatches
        header["training"] = {
            "final_loss": result.final.final_loss,
            "validation_loss": result.final.validation_loss,
            "accuracy": result.final.accuracy,
            "diverged_at": result.diverged_at,
            "mean_update_rmse": [s.update_rmse_sum / updates for s in stages],
        }
    return header


def describe(mitigation: Mitigation) -> str:
    """A mitigation's name with the parameters that differ from their defaults."""
    plain = type(mitigation)()
    changed = {name: value for name, value in vars(mitigation).items()
               if value != getattr(plain, name)}
    inside = ", ".join(f"{name}={value}" for name, value in changed.items())
    return f"{mitigation.name}({inside})" if inside else mitigation.name


def _libraries() -> dict[str, str]:
    return {"python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "simpy")}}
