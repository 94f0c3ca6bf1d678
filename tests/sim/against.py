"""One experiment through the product and through what is written apart; what differs between."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.metrics.report import report
from sim.errors import ConfigurationError, DeadlockError, InvalidProgramError
from sim.experiment.run import run
from sim.op import Op
from sim.order.program import Program
from sim.times.profile import Profile
from sim.trace import Trace
from tests.oracles.apart import greedy, learning, memory, orders, times, versions
from tests.oracles.apart.case import TICK, Case, Pass, Refused
from tests.oracles.apart.shuffled import Order, text
from tests.sim.experiments import experiment

WEIGHTS = 1e-12  # relative: sums in another order
LETTERS = {op.name: op for op in (Op.F, Op.B, Op.I, Op.W, Op.U)}
Weights = dict[tuple[int, int], list[Any]]  # by stage and version: every worker's


@dataclass
class Product:
    """What the product made of an experiment: its trace, report and every update's weights."""

    trace: Trace
    report: dict[str, Any]
    weights: Weights


@dataclass
class Apart:
    """What is written apart made of it."""

    order: orders.Streams
    versions: versions.Versions
    times: times.Times
    learnt: learning.Learnt | None


def product(keys: dict[str, Any], **options: Any) -> Product:
    """`options` are those of `run`."""
    weights: Weights = {}

    def watch(stage: int, version: int, new: Any) -> None:
        weights.setdefault((stage, version), []).append(new.copy())

    trace = run(experiment(**keys), watch=watch, **options)
    return Product(trace, report(trace), weights)


def apart(case: Case, seconds: times.Seconds) -> Apart:
    order = orders.streams(case)
    if case.dispatch == "greedy":
        order = greedy.dispatched(case, order, seconds)
    found = versions.versions(case, order)
    limit = case.activation_limit_bytes
    if limit is not None and memory.most_activations(case, order) > limit:
        raise Refused("activations do not fit")
    when = times.run(case, order, seconds)
    return Apart(order, found, when,
                 None if case.task == "none" else learning.learn(case, found, when))


def differences(keys: dict[str, Any], order: Order | None = None, **options: Any) -> list[str]:
    """Everything in which the two do not agree, a line each; `order` is a file's."""
    case = Case(**keys, given=order)
    refused, ours = None, None
    if case.profile is not None:
        options["profile"] = Profile.model_validate(case.profile)
        keys = {name: value for name, value in keys.items() if name != "profile"}
    try:
        if order is not None:
            options["program"] = Program.parse(
                text(order, case.minibatches, case.microbatches, case.chunks))
        ours = product(keys, **options)
    except (ConfigurationError, DeadlockError, InvalidProgramError) as error:
        refused = str(error).splitlines()[0]
    try:
        theirs = apart(case, _alone(case, keys, ours, options))
    except Refused as error:
        return [] if refused else [f"not refused: {error}"]
    if ours is None:
        return [f"refused: {refused}"]
    return [*_durations(case, ours, theirs), *_times(case, ours, theirs),
            *_versions(case, ours, theirs), *_memory(case, ours, theirs),
            *(_weights(case, ours, theirs) if theirs.learnt else ()),
            *(_learning(case, ours, theirs) if theirs.learnt else ())]


def _alone(case: Case, keys: dict[str, Any], ours: Product | None,
           options: dict[str, Any]) -> times.Seconds:
    """Ticks of every instruction without drift; of jittered ones those the product drew, and
    of slowed workers too, which may be a tick off."""
    if ours is None or (case.jitter is None and case.slowdown == case.device_factor == 1.0):
        return lambda worker, each: times.nominal(case, worker, each)
    plain = ours.trace
    if case.stragglers or case.trends:
        plain = run(experiment(**{**keys, "stragglers": [], "trends": []}), training=False,
                    **options)
    took = {row: round((plain.end_s[at] - plain.start_s[at]) / TICK)
            for row, at in rows(case, plain).items()}
    return lambda worker, each: took[worker, each]


def rows(case: Case, trace: Trace) -> dict[tuple[int, Pass], int]:
    """Row of every worker's pass."""
    place = {(int(trace.op[at]), int(trace.stage[at]), int(trace.index[at])): at
             for at in range(len(trace))}
    order = [each for stream in orders.streams(case) for each in stream]
    return {(w, each): place[int(LETTERS[each.op]), each.stage, case.whole(w, each.first)]
            for w in range(case.count) for each in order}


def _durations(case: Case, ours: Product, theirs: Apart) -> Iterator[str]:
    """Without drift and jitter they are off by no more than a tick."""
    trace, moved = ours.trace, case.jitter or case.stragglers or case.trends
    for row, at in rows(case, trace).items() if not moved else ():
        took, alone = (trace.end_s[at] - trace.start_s[at]) / TICK, times.nominal(case, *row)
        if abs(took - alone) > (case.slowdown != 1.0 or case.device_factor != 1.0):
            yield f"{row} took {took} ticks, not {alone}"
            return


def _times(case: Case, ours: Product, theirs: Apart) -> Iterator[str]:
    trace, when = ours.trace, theirs.times
    at_of = rows(case, trace)
    if len(at_of) != len(trace):
        yield f"{len(trace)} rows, not {len(at_of)}"
    for row, at in at_of.items():
        if trace.device[at] != row[0] * case.devices + _home(theirs.order, row[1]):
            yield f"{row} on device {trace.device[at]}"
    streams = [[row for row, at in sorted(at_of.items(), key=lambda item: item[1])
                if row[0] == w and _home(theirs.order, row[1]) == d]
               for w in range(case.count) for d in range(case.devices)]
    if streams != [[(w, each) for each in stream] for w in range(case.count)
                   for stream in theirs.order]:
        yield "another order"
    for name, column, values in (("starts", trace.start_s, when.start),
                                 ("ends", trace.end_s, when.end),
                                 ("message", trace.arrived_s, when.arrived)):
        for row, at in at_of.items():
            moment = values.get(row, math.nan) * TICK
            if not (column[at] == moment or (math.isnan(column[at]) and math.isnan(moment))):
                yield f"{name} {row} at {column[at]}, not {moment}"
                break
    yield from _rates(case, ours, theirs)


def _rates(case: Case, ours: Product, theirs: Apart) -> Iterator[str]:
    """Makespan, bubble and rates from the times, by their definitions."""
    when, report = theirs.times, ours.report
    makespan = max(when.end.values()) * TICK
    busy = sum(when.end[row] - when.start[row] for row in when.end) * TICK
    done = [0.0] * case.minibatches
    for (w, each), end in when.end.items():
        i = case.whole(w, each.first) // case.microbatches
        done[i] = max(done[i], end * TICK)
    edge = case.stages * case.count
    steady = done[edge : case.minibatches - edge]
    rate = None
    if len(steady) >= 2 and steady[-1] > steady[0]:
        between = sum(steady[0] < each <= steady[-1] for each in done)
        rate = between / (steady[-1] - steady[0])
    yield from _near(report, {
        "makespan_s": makespan, "throughput_minibatches_per_s": case.minibatches / makespan,
        "bubble_fraction": 1 - busy / (case.devices * case.count * makespan),
        "steady_throughput_minibatches_per_s": rate}, 1e-12)


def _home(order: orders.Streams, each: Pass) -> int:
    return next(d for d, stream in enumerate(order) if stream[0].stage == each.stage
                or any(other.stage == each.stage for other in stream))


def _versions(case: Case, ours: Product, theirs: Apart) -> Iterator[str]:
    trace, found = ours.trace, theirs.versions
    for (w, each), at in rows(case, trace).items():
        applied = found.applied(each.stage, each.first)
        if trace.version_applied[at] != applied:
            yield f"{each} applied at {trace.version_applied[at]}, not {applied}"
        if each.op in "UW":
            continue
        read = [found.read[each.kind, each.stage, m] for m in each.covers]
        late = sum(applied - version for version in read) / len(read)
        if trace.version_read[at] != min(read) or abs(trace.staleness[at] - late) > 1e-12:
            yield (f"{each} of worker {w} read {trace.version_read[at]}, {trace.staleness[at]} "
                   f"late, not {min(read)}, {late}")


def _weights(case: Case, ours: Product, theirs: Apart) -> Iterator[str]:
    for k in range(case.stages):
        for version in range(1, case.own_minibatches + 1):
            mine = ours.weights.get((k, version), [])
            other = [crew[k].updates[version] for crew in theirs.learnt.learners]
            if len(mine) != len(other):
                yield f"stage {k} version {version}: {len(mine)} updates, not {len(other)}"
            for weights in mine:  # the workers of one moment may come in any order
                off, which = min((off_by(weights, each), w) for w, each in enumerate(other))
                if not off <= WEIGHTS:
                    yield f"stage {k} version {version}: weights off by {off:.2g}"
                    return
                other.pop(which)


def off_by(one: Any, other: Any) -> float:
    """Relative; 0 where both are no numbers any more."""
    with np.errstate(all="ignore"):
        if not (np.isfinite(one).all() and np.isfinite(other).all()):
            return 0.0 if np.isfinite(one).all() == np.isfinite(other).all() else math.inf
        return float(np.linalg.norm(one - other) / max(np.linalg.norm(other), 1e-300))


def _learning(case: Case, ours: Product, theirs: Apart) -> Iterator[str]:
    trace, learnt = ours.trace, theirs.learnt
    curves, header = trace.curves, trace.header.training
    yield from _close("loss", curves["minibatch_loss"], learnt.loss)
    final = [header.final_loss, header.validation_loss, header.accuracy]
    yield from _close("judged", final, learnt.final)
    if header.diverged_at != learnt.diverged_at:
        yield f"diverged at {header.diverged_at}, not {learnt.diverged_at}"
    points = learnt.points
    if curves["evaluated_minibatch"].tolist() != list(points):
        yield f"evaluated at {curves['evaluated_minibatch']}, not {list(points)}"
        return
    for number, name in enumerate(("training_loss", "validation_loss", "accuracy")):
        yield from _close(name, curves[name], [each[number] for each in points.values()])
    for column, place in ((trace.weight_distance, 0), (trace.weight_rmse, 1)):
        for (w, each), at in rows(case, trace).items():
            if each.op in "UW":
                continue
            measured = learnt.learners[w][each.stage].distance
            mean = sum(measured[each.kind, m][place] for m in each.covers) / each.count
            if not same(column[at] + 1, mean + 1):  # a small one is a difference of large ones
                yield f"distance {place} of {each} is {column[at]}, not {mean}"
                return
    moved = [sum(sum(crew[k].moved) for crew in learnt.learners) / case.minibatches
             for k in range(case.stages)]
    yield from _close("updates", header.mean_update_rmse, moved)


def _close(name: str, ours: Any, theirs: Any) -> Iterator[str]:
    pairs = list(zip(ours, theirs, strict=True))
    for place, (one, other) in enumerate(pairs):
        if not same(one, other):
            yield f"{name} {place}: {one}, not {other}"
            return


def same(one: float | None, other: float | None) -> bool:
    """To the rounding of sums in another order; what is no number is alike."""
    a, b = (math.nan if value is None else float(value) for value in (one, other))
    if not (math.isfinite(a) and math.isfinite(b)):
        return math.isfinite(a) == math.isfinite(b)
    return abs(a - b) <= 1e-11 * max(abs(a), abs(b), 1e-3)


def _memory(case: Case, ours: Product, theirs: Apart) -> Iterator[str]:
    found, trace = memory.held(case, theirs.order, theirs.versions), ours.trace
    most = [max(each.versions) for each in found]
    if list(trace.header.versions_held) != most:
        yield f"versions held {trace.header.versions_held}, not {most}"
    weights = times.weight_bytes(case)
    yield from _near(ours.report["memory"], {
        "weight_bytes": weights,
        "peak_stash_bytes": [(n - 1) * size for n, size in zip(most, weights, strict=True)],
        "peak_copy_bytes": [max(each.copies) * size
                            for each, size in zip(found, weights, strict=True)],
        "peak_activation_bytes": [max(each.activations) for each in found],
        "peak_bytes": [max(each.total) for each in found],
        "peak_device_bytes": memory.device_peaks(case, theirs.order, found)}, 0.0)


def _near(ours: dict[str, Any], theirs: dict[str, Any], tolerance: float) -> Iterator[str]:
    for name, value in theirs.items():
        mine = ours.get(name)
        alike = mine == value or (
            isinstance(mine, float) and isinstance(value, float)
            and abs(mine - value) <= tolerance * max(1.0, abs(value)))
        if not alike:
            yield f"{name}: {mine}, not {value}"
