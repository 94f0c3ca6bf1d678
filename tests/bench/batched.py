"""Training 64 replicas on one array axis over training them one after another.

Eight stages, batch 32, without distances: the training of `training_overhead`, for eight learning
rates times eight seeds.  Both sides include program, versions and stages, and not the data.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from functools import partial
from typing import Any

from threadpoolctl import threadpool_limits

from sim.experiment.batched import block_size, step_block
from sim.experiment.configuration import resolve
from sim.experiment.options import Experiment
from sim.experiment.run import settle
from sim.experiment.setup import Timed, VirtualSetup, generate, make_stages
from sim.numerics.training import train
from sim.order.check import execution_order
from tests.bench.turns import ratio

RATES = (0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08)
SEEDS = range(8)
TARGETS = {64: 0.8, 16: 0.3}


def experiments(width: int, minibatches: int, mitigation: str) -> list[Experiment]:
    """64 of them that share a program."""
    return [resolve({"pipeline": {"stages": 8, "minibatches": minibatches,
                                  "mitigation": mitigation},
                     "training": {"width": width, "learning_rate": rate, "seed": seed,
                                  "distances": False}})
            for rate, seed in itertools.product(RATES, SEEDS)]


def timed(given: list[Experiment]) -> list[Timed]:
    """Data, sizes and times ahead, which neither side is measured for."""
    first = settle(VirtualSetup.of(given[0]))
    return [settle(VirtualSetup.of(each, first.timeline.program), timeline=first.timeline)
            for each in given]


def single(each: Timed) -> float:
    """Program, versions, stages, training of one.  Gives the final loss."""
    setup = each.setup
    program = generate(setup.experiment)
    assert setup.task is not None
    stages = make_stages(setup, setup.versions(program), setup.task)
    return train(execution_order(program), stages, setup.task, program).final.final_loss


def one_by_one(ready: list[Timed]) -> list[float]:
    return [single(each) for each in ready]


def together(ready: list[Timed]) -> list[float]:
    """The same of all, block by block."""
    setup = ready[0].setup
    plan = setup.versions(generate(setup.experiment))
    size, losses = block_size(ready[0]), []
    for first in range(0, len(ready), size):
        block = [replace(each, plan=plan) for each in ready[first : first + size]]
        losses += list(step_block(block)[1].final.final_loss)
    return losses


def same(one: list[float], other: list[float]) -> None:
    """Refuse to compare programs that do different work."""
    if not all(math.isclose(a, b, rel_tol=1e-12) for a, b in zip(one, other, strict=True)):
        raise SystemExit("replicas train to other losses than runs alone")


def measure(repeats: int = 5, minibatches: int = 200, mitigation: str = "none"
            ) -> dict[str, dict[str, Any]]:
    """`batched_ratio_width64` (at most 0.8) and `batched_ratio_width16` (at most 0.3)."""
    found = {}
    with threadpool_limits(1):
        for width, target in TARGETS.items():
            ready = timed(experiments(width, minibatches, mitigation))
            same(together(ready), one_by_one(ready))
            found[f"batched_ratio_width{width}"] = {
                **ratio(partial(together, ready), partial(one_by_one, ready), repeats),
                "target": target, "block": block_size(ready[0])}
    return found


if __name__ == "__main__":
    for name, found in measure().items():
        print(f"{name} {found['ratio']:.3f} (at most {found['target']}; blocks of "
              f"{found['block']})")
