"""An order searched for at the pace that was seen, as `analysis.ordering` finds one."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from analysis.drifting.course import Cut
from analysis.drifting.orders import Order, repeated
from analysis.drifting.problem import DriftProblem
from analysis.ordering.problem import OrderProblem
from analysis.ordering.search import search
from sim.arrays import Floats
from sim.experiment.configuration import resolve
from sim.kernels.pairs import NUMPY
from sim.layouts.layers import cut as cut_profile
from sim.times.costs import quantize

NOT_FIXED = {"costs": ("jitter", "stragglers", "trends", "microbatch_scale"),
             "cluster": ("activation_limit_bytes",)}


def searched(problem: DriftProblem, cut: Cut, pace: Floats) -> Order:
    """The best order of a mini-batch that a search of `problem.rounds` moves finds for a cut at a
    pace, (stages,), repeated; the same moves whatever the machine."""
    found = search(order_problem(problem, cut, pace), rounds=problem.rounds, seed=0, kernels=NUMPY)
    return Order("searched", lru_cache(lambda count: repeated(found.program, count)))


def order_problem(problem: DriftProblem, cut: Cut, pace: Floats) -> OrderProblem:
    """The problem of finding an order for a cut whose stages take `pace` times as long, (stages,),
    without noise and drift; its memory limit is that of activations alone."""
    document = problem.experiment.document()
    for section, names in NOT_FIXED.items():
        for name in names:
            document.get(section, {}).pop(name, None)
    limit = problem.experiment.cluster.activation_limit_bytes
    profile = cut_profile(problem.layers, cut) if cut and cut != problem.first_cut else None
    plain = OrderProblem.of(resolve(document), profile=profile)
    slowed: dict[str, Any] = {name: quantize(getattr(plain, name) * pace) for name in (
        "forward_s", "backward_s", "input_s", "weight_s", "update_s")}
    return replace(plain, **slowed, base_bytes=np.zeros(plain.devices),
                   limit_bytes=limit or float("inf"))
