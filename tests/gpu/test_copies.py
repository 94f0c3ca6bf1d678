"""Free placement and stages with several homes on threads: what virtual time says, bit for bit."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gpu.distributed.launch import refuse_several as refuse_ranks
from gpu.profiling.solo import Solo
from gpu.runtime.assembly import assemble
from gpu.runtime.rounds import Rounds
from gpu.runtime.run import run
from gpu.runtime.settings import RunSettings
from gpu.studies.validation.grid import admits
from sim.errors import ConfigurationError
from sim.experiment.configuration import resolve
from sim.experiment.run import run as simulate
from sim.numerics.tasks import Evaluation
from sim.numerics.training import train
from sim.op import Op
from sim.order.check import execution_order
from sim.order.program import Program
from sim.order.shape import PipelineShape
from tests.gpu.conftest import cpu_lanes
from tests.gpu.test_runtime import EXACT

UNEQUAL = "0F0,2F0,2B0,0B0,0F1,2F1,2B1,0B1\n1F0,1B0,1F1,1B1"
ORDERS = {
    "hybrid": {"schedule": "hybrid", "stages": 2, "replicas": [2, 1], "minibatches": 5},
    "chimera": {"schedule": "chimera", "stages": 2, "microbatches": 2, "minibatches": 2},
    "dualpipe": {"schedule": "dualpipe", "stages": 2, "microbatches": 4, "minibatches": 2},
    "zbv": {"schedule": "zbv", "stages": 4, "chunks": 2, "microbatches": 4, "minibatches": 2},
    "zb-h1": {"schedule": "zb-h1", "stages": 2, "microbatches": 2, "minibatches": 3},
    "hanayo": {"schedule": "hanayo", "stages": 4, "chunks": 2, "microbatches": 2, "minibatches": 2},
    "unequal": {"schedule": "file", "stages": 3, "ranks": 2, "minibatches": 2},
    "smaller": {"schedule": "1f1b", "stages": 2, "microbatches": 4, "last_microbatches": 1,
                "minibatches": 2},
}


def made(name, mitigation="none", copies="all-reduce", **training):
    document = {"pipeline": {**ORDERS[name], "mitigation": mitigation},
                "training": {"batch_size": 8, "seed": 3, **training},
                "workers": {"copies": copies}}
    experiment = resolve(document)
    program = None
    if name == "unequal":
        program = Program.parse(UNEQUAL, PipelineShape(3, 2, ranks=2))
    devices = program.devices if program else experiment.shape.devices
    return assemble(experiment, RunSettings(), [torch.device("cpu")] * devices, program=program)


CASES = [("hybrid", "stash", "all-reduce"), ("dualpipe", "none", "all-reduce"),
         ("chimera", "none", "apart"), ("unequal", "none", "all-reduce")]
MORE = [*((name, "none", "all-reduce") for name in ORDERS if name not in ("dualpipe", "unequal")),
        ("hybrid", "spectrain", "all-reduce"), ("hybrid", "stash", "apart")]


@pytest.mark.parametrize(("name", "mitigation", "copies"), [*CASES, *(
    pytest.param(*case, marks=pytest.mark.verify) for case in MORE)])
def test_threads_do_what_virtual_time_says_wherever_stages_live(name, mitigation, copies):
    driven, threaded = (made(name, mitigation, copies) for _ in range(2))
    judged = mitigation == "spectrain"  # by all images, which takes longer than learning
    task = driven.task if judged else SimpleNamespace(
        inputs=driven.task.inputs, target=driven.task.target, evaluate=lambda _: Evaluation(0.0))
    result = train(execution_order(driven.program), driven.learners, task, driven.program)
    trace = run(threaded, cpu_lanes(threaded.program.devices), evaluate=judged)
    times = threaded.experiment.changed({"training": {"task": "none"}})
    predicted = simulate(times, threaded.program if name == "unequal" else None)
    for column in EXACT:
        assert np.array_equal(getattr(trace, column), getattr(predicted, column)), column
    for one, two in zip(driven.stages, threaded.stages, strict=True):
        assert torch.equal(one.weights, two.weights)
    for one, two in zip(driven.measures, threaded.measures, strict=True):
        for op in (Op.F, Op.B):
            assert np.array_equal(one.distances(op), two.distances(op))
    assert np.array_equal(trace.curves["minibatch_loss"], result.loss)
    if judged:
        assert trace.header.training.final_loss == result.final.final_loss
    assert trace.header.training.mean_update_rmse == pytest.approx(
        [float(np.mean([float(rate) * np.sqrt(float(v) / own.size) for rate, v in
                        zip(own.rate, own.velocity, strict=True)])) for own in driven.measures])


@pytest.mark.parametrize("name", ["chimera",
                                  pytest.param("dualpipe", marks=pytest.mark.verify)])
def test_two_directions_learn_what_one_device_does(name):
    """Their sums are the same in the same order, and BatchNorm goes by a micro-batch's own."""
    both = made(name)
    run(both, cpu_lanes(both.program.devices), evaluate=False)
    experiment = both.experiment.changed({"pipeline": {"schedule": "gpipe"}})
    alone = assemble(experiment, RunSettings(), [torch.device("cpu")] * 2)
    run(alone, cpu_lanes(2), evaluate=False)
    for ours, theirs in zip(both.learnt, alone.learnt, strict=True):
        assert torch.equal(ours, theirs)
    numbers = both.program.copies.of_stage(0)
    assert len(numbers) == 2
    assert torch.equal(*(both.stages[copy].weights for copy in numbers))


def test_a_failing_copy_wakes_those_that_wait_for_its_gradients():
    assembly = made("chimera")
    (_, second) = assembly.program.copies.of_stage(1)
    failing = assembly.stages[second].model

    def broken(*_, **__):
        raise RuntimeError("no more")

    failing.backward = broken
    with pytest.raises(Exception, match="no more"):
        run(assembly, cpu_lanes(2))


def test_captured_stages_of_several_homes_are_refused_with_the_reason():
    assembly = made("chimera")
    assembly.settings.__dict__["graphs"] = "on"
    trace = run(assembly, cpu_lanes(2), evaluate=False)
    assert trace.header.gpu.graphs is False
    assert "several homes are not captured" in trace.header.gpu.graphs_why


def test_rounds_wait_for_all_gradients():
    assembly = made("chimera")
    assert isinstance(assembly.rounds, Rounds)
    sums = assembly.rounds.sums[0]
    assert not sums.complete(0)
    with pytest.raises(RuntimeError, match="before all its gradients are there"):
        sums.take(0)


def test_ranks_profiles_and_validations_refuse_several_homes_with_the_reason():
    assembly = made("chimera")
    with pytest.raises(ConfigurationError, match="in one process; run it without torchrun"):
        refuse_ranks(assembly.program)
    with pytest.raises(ConfigurationError, match="a profile is of stages with one home each"):
        Solo(assembly, cpu_lanes(2))
    with pytest.raises(ConfigurationError, match="a profile is of stages with one home each"):
        admits(assembly.experiment, None)
    refuse_ranks(made("zbv").program)


def test_several_workers_are_still_refused():
    with pytest.raises(ConfigurationError, match="the torch backend runs one worker"):
        assemble(resolve({"workers": {"count": 2}, "pipeline": {"minibatches": 4}}), RunSettings(),
                 [torch.device("cpu")] * 3)
