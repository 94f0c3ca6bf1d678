"""Where the time of a run went: busy, bubble, communication wait, throughput."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.arrays import Floats, Ints
from sim.op import Op
from sim.order.shape import PipelineShape
from sim.trace import Trace


@dataclass(frozen=True)
class Timing:
    """Where the time of a run went; the bubble is 1 − busy / (devices · makespan).

    `makespan_s` is in seconds.  The bubble includes communication wait: `comm_wait_fraction` is the
    part of it in which a device stood idle while the message it needed was under way. `utilisation`
    has shape (devices,); the steady throughput is None where fewer than two mini-batches are steady
    or no time passes between their ends.

    `span_idle_s`, (devices,), counts only from a device's own first instruction to its own last,
    and `span_idle_fraction` is all devices' of all their spans: zero-bubble papers call an order
    free of bubbles where that is 0, for devices begin and end one after another.
    Source: DOORS, Definitions; Qi et al. 2024 (zero bubble), section 2.
    """

    makespan_s: float
    bubble_fraction: float
    comm_wait_fraction: float
    utilisation: Floats
    throughput_minibatches_per_s: float
    steady_throughput_minibatches_per_s: float | None
    span_idle_s: Floats
    span_idle_fraction: float


def steady_of(shape: PipelineShape) -> tuple[int, int] | None:
    """First and last mini-batch (from 1) of the steady state of a pipeline; None without one.

    They are all but each worker's first and last S.  Source: DOORS, Definitions.
    """
    edge = shape.stages * shape.workers
    first, last = edge + 1, shape.minibatches - edge
    return (first, last) if first <= last else None


def averaged_over(shape: PipelineShape) -> tuple[int, int]:
    """First and last mini-batch (from 1) that means of the steady state are taken over.

    [choice] In a run without a steady state they are all: a mean is told as that of the whole run,
    where a rate would only measure how pipelines fill and drain.
    """
    return steady_of(shape) or (1, shape.minibatches)


def rated(shape: PipelineShape) -> tuple[int, int] | None:
    """First and last mini-batch (from 1) that a steady rate is taken between; None where fewer
    than two are steady."""
    steady = steady_of(shape)
    return steady if steady and steady[0] < steady[1] else None


def timing(trace: Trace) -> Timing:
    """Where the time of a run went."""
    devices = trace.shape.devices
    makespan = float(trace.end_s.max())
    whole = makespan if makespan > 0 else float("nan")
    compute = trace.op <= Op.U
    busy = np.bincount(trace.device[compute], trace.busy_s[compute], devices)
    wait = np.bincount(trace.device, comm_wait_s(trace), devices)
    spans = _spans_s(trace, compute)
    idle, long = np.maximum(spans - busy, 0.0), float(spans.sum())
    return Timing(
        makespan, 1 - float(busy.sum()) / (devices * whole),
        float(wait.sum()) / (devices * whole), busy / whole,
        trace.shape.minibatches / whole, steady_rate(trace),
        idle, float(idle.sum()) / long if long else float("nan"))


def _spans_s(trace: Trace, compute: NDArray[np.bool_]) -> Floats:
    """Seconds from each device's first start of what computes to its last end, (devices,)."""
    first, last = np.full(trace.shape.devices, np.inf), np.zeros(trace.shape.devices)
    np.minimum.at(first, trace.device[compute], trace.start_s[compute])
    np.maximum.at(last, trace.device[compute], trace.end_s[compute])
    return np.where(np.isfinite(first), last - first, 0.0)


def comm_wait_s(trace: Trace) -> Floats:
    """Seconds each row's device stood idle while its message was under way, shape (rows,).

    [choice] Of a pair, which waits for two, the longer wait is the pair's.
    """
    previous = np.concatenate(([0.0], trace.end_s[:-1]))
    previous[first_rows(trace)] = 0.0
    second = np.flatnonzero(trace.with_previous)
    previous[second] = previous[second - 1]
    start = np.where(trace.op > Op.U, trace.end_s, trace.start_s)  # a RECV is itself the wait
    idle_from = np.fmax(previous, trace.sent_s)
    wait: Floats = np.nan_to_num(np.clip(np.fmin(start, trace.arrived_s) - idle_from, 0.0, None))
    wait[second] = np.maximum(wait[second] - wait[second - 1], 0.0)
    return wait


def first_rows(trace: Trace) -> Ints:
    """The first row of each device that has any, (devices,)."""
    return np.unique(trace.device, return_index=True)[1]


def finished_s(trace: Trace) -> Floats:
    """Seconds at which each mini-batch was done on every stage, (mini-batches,)."""
    done = np.zeros(trace.shape.minibatches)
    np.maximum.at(done, trace.minibatch - 1, trace.end_s)
    return done


def steady_rate(trace: Trace) -> float | None:
    """Mini-batches per second between the ends of the first and last steady mini-batch.

    None where there are no two, or no time passes between them: see `why_no_rate`.
    """
    between = rated(trace.shape)
    if between is None:
        return None
    done = finished_s(trace)
    begin, end = (float(done[number - 1]) for number in between)
    # workers can end several at once: those that end with the first are before it
    count = int(((done > begin) & (done <= end)).sum())
    return count / (end - begin) if end > begin else None


def why_no_rate(trace: Trace) -> str | None:
    """Why a run has no steady rate, in words; None where it has one."""
    if steady_rate(trace) is not None:
        return None
    if rated(trace.shape):
        return "no time passes between the ends of the first and the last steady mini-batch"
    shape = trace.shape
    return (f"a rate needs two steady mini-batches: of {shape.minibatches} the first and the last "
            f"{shape.stages * shape.workers} are not steady")
