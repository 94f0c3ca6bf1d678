"""The exact part of a validation: the runtime's order, versions and weights are the simulator's."""

from __future__ import annotations

from typing import Any

from gpu.runtime.assembly import Assembly
from gpu.runtime.run import run
from gpu.studies.validation.cases import Bench, Case
from sim.experiment.run import run as simulate
from sim.numerics.training import train
from sim.order.check import execution_order
from sim.times.profile import Profile
from sim.trace import Trace

UPDATES = 10  # of a weight pass
LIMIT_REL = {"cpu": 0.0, "cuda": 1e-5}  # of the weights' difference
COUNTED = ("version_read", "version_applied", "staleness")


def predict(case: Case, measured: Profile | None) -> Trace:
    """The simulator's trace of a case, under a profile's costs where one is given."""
    return simulate(case.experiment.changed(task="none"), case.program, profile=measured)


def weight_pass(case: Case, bench: Bench) -> dict[str, Any]:
    """Whether the runtime's order and versions are the simulator's, and how far its weights differ.

    Weights are those of the simulator's trainer on the same stages; the noise floor is the
    difference of two identical runs of that trainer.  Raises StageError
    where a stage fails or its numbers stop being finite.
    """
    short = case.shortened(UPDATES)
    threaded = bench.assemble(short.experiment, short.settings, program=short.program)
    trace = run(threaded, bench.lanes, evaluate=False)
    first, second = (_driven(short, bench) for _ in range(2))
    return {**same_order(predict(short, None), trace),
            "weights_max_rel": largest_difference(first, threaded),
            "weights_noise_floor_rel": largest_difference(first, second),
            "weights_limit_rel": LIMIT_REL[bench.places[0].type]}


def _driven(case: Case, bench: Bench) -> Assembly:
    """The case's stages stepped by the simulator's trainer, eagerly."""
    driven = bench.assemble(case.experiment, case.settings, program=case.program)
    for stage, model in zip(driven.stages, driven.kit.models, strict=True):
        stage.compute_with(model)
    task: Any = driven.task
    train(execution_order(driven.program), driven.stages, task, driven.program)
    return driven


def same_order(predicted: Trace, measured: Trace) -> dict[str, bool]:
    """Whether every instruction came in the predicted order and read the predicted version."""
    order = predicted.program() == measured.program()
    versions = order and all((getattr(predicted, name) == getattr(measured, name)).all()
                             for name in COUNTED)
    return {"order_equal": order, "versions_equal": bool(versions)}


def largest_difference(one: Assembly, two: Assembly) -> float:
    """The largest relative difference that any stage's weights have between two assemblies."""
    return max(float((a.weights - b.weights).norm() / a.weights.norm())
               for a, b in zip(one.stages, two.stages, strict=True))
