"""Problems of finding an order, made of plain numbers, and the same for an oracle."""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.ordering.problem import OrderProblem
from sim.experiment.configuration import resolve
from tests.oracles.every_order import Tiny

SLOTS = {"forward_s": 1.0, "input_s": 1.0, "weight_s": 1.0}  # f = i = w


def problem(stages: int, microbatches: int, limit: float = float("inf"), *, forward_s: Any = 1.0,
            input_s: Any = 1.0, weight_s: Any = 1.0, backward_s: Any = None, latency_s: Any = 0.0,
            occupied_s: Any = 0.0, activation_bytes: Any = 1.0, **more: Any) -> OrderProblem:
    """A problem of stages on a device each, unless `device` says otherwise."""
    of = {key: more.pop(key) for key in ("device", "max_staleness", "state_copies") if key in more}
    first, second = np.zeros((2, stages)) + input_s, np.zeros((2, stages)) + weight_s
    whole = first[0] + second[0] if backward_s is None else np.zeros(stages) + backward_s
    return OrderProblem.of(resolve({
        "pipeline": {"schedule": "gpipe", "stages": stages, "microbatches": microbatches,
                     **more.pop("pipeline", {})},
        "costs": {"forward_s": listed(forward_s, stages), "backward_s": whole.tolist(),
                  "input_backward_s": first[0].tolist(), "weight_backward_s": second[0].tolist(),
                  **more.pop("costs", {})},
        "cluster": {"latency_s": listed(latency_s, stages - 1), "bandwidth_bytes_per_s": 1.0,
                    "boundary_bytes": listed(occupied_s, stages - 1),
                    "activation_bytes": listed(activation_bytes, stages)},
        "training": {"task": "none"}, **more}), limit_bytes=limit, **of)


def listed(value: Any, size: int) -> list[float]:
    return (np.zeros(size) + value).tolist()


def drawn(rng: np.random.Generator, stages: int, microbatches: int, most: int | None = None,
          **more: Any) -> OrderProblem:
    """Whole seconds, so that an oracle's sums are exact too; room for 1 to `most` micro-batches."""
    limit = float(rng.integers(1, (most or microbatches) + 1))
    return problem(stages, microbatches, limit, forward_s=rng.integers(1, 9, stages),
                   input_s=rng.integers(1, 9, stages), weight_s=rng.integers(0, 9, stages),
                   latency_s=rng.integers(0, 4, stages - 1),
                   occupied_s=rng.integers(0, 3, stages - 1), **more)


def tiny(given: OrderProblem) -> Tiny:
    """The same problem for the oracle."""
    return Tiny(given.microbatches, *(tuple(each.tolist()) for each in (
        given.forward_s, given.input_s, given.weight_s, given.backward_s, given.occupied_s[0],
        given.latency_s[0], given.held_bytes, given.halved_bytes)),
        room=given.limit_bytes, update=tuple(given.update_s.tolist()))
