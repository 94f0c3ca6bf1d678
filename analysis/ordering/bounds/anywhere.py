"""A makespan that no order is below, wherever its stages live."""

from __future__ import annotations

import numpy as np

from analysis.ordering.bounds.shop import passes
from analysis.ordering.problem import OrderProblem


def anywhere_bound_s(problem: OrderProblem) -> float:
    """Seconds that no order's makespan is below on any placement of the stages.

    All work shared out among the devices as they are quick, and one micro-batch's way down and up
    on the quickest of them, over links that take no time.
    """
    factors = np.ones(problem.devices) * np.asarray(problem.experiment.costs.device_factor)
    first, second = (each / factors[problem.device] for each in passes(problem))
    forward = problem.forward_s / factors[problem.device]
    update = problem.update_s / factors[problem.device]
    work = float((problem.microbatches * (forward + first + second) + update).sum())
    way = float(forward.sum() + first.sum() + second[0] + update[0])
    return max(work / float((1 / factors).sum()), way * float(factors.min()))
