"""Orders that a search found, as torch runs them on threads: the simulator's, to the bit."""

import numpy as np
import pytest
import torch

from analysis.ordering.asked.answer import answer
from analysis.ordering.problem import OrderProblem
from gpu.runtime.run import run
from sim.experiment.configuration import resolve
from sim.numerics.training import train
from sim.op import Op
from sim.order.check import execution_order
from sim.order.torch_csv.reading import repeated
from tests.gpu.conftest import cpu_assembly, cpu_lanes

KEYS = {"stages": 2, "microbatches": 4, "training": {"batch_size": 8}}
COSTS = {"forward_s": [1.0, 1.5], "input_backward_s": [1.0, 0.75], "weight_backward_s": [0.5, 1.25],
         "backward_s": [1.5, 2.0]}


def found(minibatches, **limits):
    given = resolve({"pipeline": {"stages": 2, "microbatches": 4, "mitigation": "stash"},
                     "costs": COSTS, "cluster": {"latency_s": 0.25}, "training": {"task": "none"}})
    order = answer(OrderProblem.of(given, **limits), rounds=60,
                   minibatches=minibatches if limits else None).program
    return order if limits else repeated(order, minibatches)


@pytest.mark.parametrize("limits", [{}, {"max_staleness": 1}])
def test_threads_do_what_the_simulator_says(limits):
    program = found(3, **limits)
    keys = {**KEYS, "minibatches": 3, "schedule": "file", "mitigation": "stash"}
    driven, threaded = (cpu_assembly(**keys, program=program) for _ in range(2))
    result = train(execution_order(driven.program), driven.stages, driven.task, driven.program)
    trace = run(threaded, cpu_lanes(2))
    assert np.array_equal(trace.curves["minibatch_loss"], result.loss)
    assert trace.staleness.max() == limits.get("max_staleness", 0)
    for ours, theirs in zip(threaded.stages, driven.stages, strict=True):
        assert torch.equal(ours.weights, theirs.weights)
    if not limits:
        assert {Op.I, Op.W} <= set(trace.op.tolist())
        alone = cpu_assembly(**KEYS, minibatches=3, schedule="sequential", mitigation="stash")
        run(alone, cpu_lanes(2))
        for ours, one in zip(threaded.stages, alone.stages, strict=True):
            assert (ours.weights - one.weights).abs().max() <= 1e-12
