"""Fifty random problems of orders: eight uneven stages on a device each, sixteen micro-batches.

Drawn once and left so: a forward and either half of a backward take 0.5 to 1.5 s on each stage, an
update 0.1 s; a message keeps its link for up to 0.5 s, and is there up to 0.5 s after that.  Of a
micro-batch a stage keeps 50 to 150 bytes.  Devices have, in turn, room for what ZB-H1 needs of the
neediest, for what 1F1B does, or no limit.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from analysis.ordering.judge import judge
from analysis.ordering.problem import OrderProblem
from analysis.ordering.starts.named import named_orders
from sim.experiment.configuration import resolve

STAGES, MICROBATCHES, INSTANCES = 8, 16, 50
LIMITS = ("zb-h1", "1f1b", "none")


def limit_of(seed: int) -> str:
    """Whose memory an instance has."""
    return LIMITS[seed % len(LIMITS)]


def instance(seed: int) -> OrderProblem:
    """The problem of a seed."""
    rng = np.random.default_rng([15, seed])

    def some(size: int, least: float, most: float) -> list[float]:
        return rng.uniform(least, most, size).round(4).tolist()

    forward, first, second = (some(STAGES, 0.5, 1.5) for _ in range(3))
    problem = OrderProblem.of(resolve({
        "pipeline": {"stages": STAGES, "microbatches": MICROBATCHES, "minibatches": 1,
                     "schedule": "1f1b"},
        "costs": {"forward_s": forward, "input_backward_s": first, "weight_backward_s": second,
                  "backward_s": [a + b for a, b in zip(first, second, strict=True)],
                  "update_s": 0.1},
        "cluster": {"latency_s": some(STAGES - 1, 0.0, 0.5), "bandwidth_bytes_per_s": 10.0,
                    "boundary_bytes": some(STAGES - 1, 0.0, 5.0),
                    "activation_bytes": rng.integers(50, 151, STAGES).tolist()},
        "training": {"task": "none"}}))
    if limit_of(seed) == "none":
        return problem
    needs = judge(problem, named_orders(problem)[limit_of(seed)]).peak_bytes
    return dataclasses.replace(problem, limit_bytes=float(needs.max()))
