"""Runs of an order at given seconds of its passes, through the product's exact engine."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from sim.op import Op
from sim.order.shape import PipelineShape
from sim.trace import Trace
from tests.sim.experiments import simulate

CHUNKED = ("zbv", "v-half", "v-min", "dualpipev")  # two chunks on every device
COSTS = [(1, 1, 1), (2, 3, 1), (1, 2, 2), (3, 1, 2), (2, 2, 1), (1, 2, 1), (4, 5, 3), (1, 1, 3)]


@dataclass(frozen=True)
class Idle:
    """Seconds that each device does nothing: of the whole run, and from its own first to last
    pass; `most` are the activations it holds at most, weight halves being what frees them."""

    run: list[float]
    span: list[float]
    most: list[int]


def shape_of(name: str, devices: int, microbatches: int, chunks: int = 1,
             minibatches: int = 1) -> PipelineShape:
    chunks = 2 if name in CHUNKED else chunks
    return PipelineShape(devices * chunks, minibatches, microbatches, chunks)


@lru_cache(maxsize=512)
def idle(name: str, devices: int, microbatches: int, costs: tuple[float, float, float],
         chunks: int = 1, pair: float | None = None) -> Idle:
    """Of one mini-batch, `costs` being seconds of F, I and W, and `pair` those of a pair."""
    trace = ran(name, shape_of(name, devices, microbatches, chunks), costs, pair)
    return idle_of(trace, devices)


def ran(name: str, shape: PipelineShape, costs: tuple[float, float, float],
        pair: float | None = None, **keys: Any) -> Trace:
    f, i, w = costs
    if pair is not None:
        keys["overlapped_s"] = pair
    return simulate(task="none", schedule=name, stages=shape.stages, chunks=shape.chunks,
                    minibatches=shape.minibatches, microbatches=shape.microbatches,
                    batch_size=shape.microbatches, forward_s=f, backward_s=i + w,
                    input_backward_s=i, weight_backward_s=w, **keys)


def idle_of(trace: Trace, devices: int) -> Idle:
    """A pair's two passes have its start and end: what is busy is counted once."""
    end, found = trace.end_s.max(), Idle([], [], [])
    for device in range(devices):
        rows = np.flatnonzero((trace.device == device) & (trace.op != Op.U))
        whole = sorted(set(zip(trace.start_s[rows], trace.end_s[rows], strict=True)))
        busy = sum(stop - start for start, stop in whole)
        found.run.append(end - busy)
        found.span.append(whole[-1][1] - whole[0][0] - busy)
        found.most.append(most_held(trace.op[rows]))
    return found


def most_held(ops: np.ndarray) -> int:
    """The most activations there are at once: from a forward to its backward or weight half."""
    change = np.where(ops == Op.F, 1, np.where((ops == Op.B) | (ops == Op.W), -1, 0))
    return int(np.cumsum(change).max())
