"""Zero-bubble orders and DualPipe as torch runs them on threads: the simulator's, and sequential's.
"""

import numpy as np
import pytest
import torch

from gpu.runtime.run import run
from sim.numerics.training import train
from sim.op import Op
from sim.order.check import execution_order
from tests.gpu.conftest import cpu_assembly, cpu_lanes

ORDERS = [("dualpipev", 4, 2), *(pytest.param(*each, marks=pytest.mark.verify) for each in [
    ("zb-h1", 2, 1), ("zb-h2", 2, 1), ("interleaved-zb", 4, 2), ("zbv", 4, 2), ("v-half", 4, 2),
    ("v-min", 4, 2)])]
KEYS = {"microbatches": 4, "minibatches": 2, "mitigation": "none", "training": {"batch_size": 8}}


@pytest.mark.parametrize(("name", "stages", "chunks"), ORDERS)
def test_threads_do_what_the_simulator_says_and_learn_what_one_device_does(name, stages, chunks):
    keys = {**KEYS, "stages": stages}
    driven, threaded = (cpu_assembly(**keys, schedule=name, chunks=chunks) for _ in range(2))
    alone = cpu_assembly(**keys, schedule="sequential")
    result = train(execution_order(driven.program), driven.stages, driven.task, driven.program)
    trace = run(threaded, cpu_lanes(threaded.program.devices))
    run(alone, cpu_lanes(stages))
    assert np.array_equal(trace.curves["minibatch_loss"], result.loss)
    assert np.all(trace.staleness == 0)
    assert {Op.I, Op.W} <= set(trace.op.tolist())
    for ours, theirs, one in zip(threaded.stages, driven.stages, alone.stages, strict=True):
        assert torch.equal(ours.weights, theirs.weights)
        assert (ours.weights - one.weights).abs().max() <= 1e-12
    assert not torch.equal(threaded.stages[0].weights, threaded.task.weights[0])


@pytest.mark.verify
def test_both_copies_of_dualpipe_learn_what_one_device_does():
    copies, alone = (cpu_assembly(**KEYS, stages=2, schedule=name)
                     for name in ("dualpipe", "sequential"))
    run(copies, cpu_lanes(2))
    run(alone, cpu_lanes(2))
    assert [each.number for each in copies.stages] == [0, 0, 1, 1]
    for each in copies.stages:
        assert (each.weights - alone.stages[each.number].weights).abs().max() <= 1e-12
    assert not torch.equal(copies.stages[0].weights, copies.task.weights[0])
