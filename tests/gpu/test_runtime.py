"""The same program on threads and in virtual time: order, versions, weights, times."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from gpu.runtime.run import run
from gpu.runtime.settings import RunSettings
from gpu.runtime.stage import watched_stage
from sim.errors import ConfigurationError
from sim.experiment.configuration import resolve
from sim.experiment.run import run as simulate
from sim.mitigations import MITIGATIONS
from sim.numerics.rate import LearningRate
from sim.numerics.training import train
from sim.op import Op
from sim.order.check import execution_order
from sim.order.instruction import Instruction
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from tests.gpu.conftest import cpu_assembly, cpu_lanes
from tests.sim.fitting import ONE_HOME, fitted

SHAPES = ((2, 1), (3, 2))  # stages and micro-batches, where a schedule takes them
EXACT = ("op", "stage", "index", "count", "device", "version_read", "version_applied",
         "staleness", "effective_staleness")


def virtual(**pipeline):
    return simulate(resolve({"pipeline": {"minibatches": 6, **pipeline},
                             "training": {"task": "none"}}))


def accepted():
    """Every schedule x mitigation the simulator takes, in both shapes or what is nearest."""
    for (stages, microbatches), schedule in product(SHAPES, ONE_HOME):
        shape = fitted(schedule, PipelineShape(stages, 6, microbatches))
        sizes = {name: getattr(shape, name) for name in ("stages", "microbatches", "chunks")}
        for mitigation in MITIGATIONS.names():
            pipeline = {"schedule": schedule, "mitigation": mitigation, **sizes}
            try:
                virtual(**pipeline)
            except ConfigurationError:
                continue
            yield named(pipeline)
    yield named({"schedule": "interleaved", "mitigation": "none", "stages": 4, "microbatches": 2,
                 "chunks": 2})
    yield named({"schedule": "round-robin", "mitigation": "2bw", "stages": 2, "microbatches": 2})
    yield named({"schedule": "round-robin", "mitigation": "stash", "stages": 3, "in_flight": 2})
    late = {"name": "delay-adaptive", "concurrency": 1}  # stage 0 is two updates late
    yield named({"schedule": "round-robin", "mitigation": late, "stages": 3})


def named(pipeline):
    return pytest.param(pipeline, id="-".join(map(str, pipeline.values())))


CASES = list(accepted())
EVERY = 5  # of so many cases one is in `make test`


def test_registries_give_cases():
    assert len(CASES) > 2 * len(SCHEDULES.names())
    assert len(CASES) > 2 * len(MITIGATIONS.names())


def both(**pipeline):
    """The same stages driven by the simulator and by the runtime."""
    driven, threaded = cpu_assembly(**pipeline), cpu_assembly(**pipeline)
    result = train(execution_order(driven.program), driven.stages, driven.task, driven.program)
    trace = run(threaded, cpu_lanes(threaded.program.devices))
    return driven, result, threaded, trace


def assert_same_stages(driven, threaded):
    for one, two in zip(driven.stages, threaded.stages, strict=True):
        assert torch.equal(one.weights, two.weights)
        for op in (Op.F, Op.B):
            assert np.array_equal(one.measures.distances(op), two.measures.distances(op))
        for (name, buffer), (_, other) in zip(one.model.module.named_buffers(),
                                              two.model.module.named_buffers(), strict=True):
            assert torch.equal(buffer, other), name


@pytest.mark.parametrize("pipeline", [case if number % EVERY == 0 else pytest.param(
    *case.values, id=case.id, marks=pytest.mark.verify) for number, case in enumerate(CASES)])
def test_order_versions_and_weights_are_the_simulators(pipeline):
    batch = {"training": {"batch_size": max(4, 2 * pipeline.get("microbatches", 1))}}
    driven, result, threaded, trace = both(**pipeline, **batch)
    predicted = virtual(**pipeline)
    for column in EXACT:
        assert np.array_equal(getattr(trace, column), getattr(predicted, column)), column
    assert_same_stages(driven, threaded)
    assert np.array_equal(trace.curves["minibatch_loss"], result.loss)
    assert trace.header.training.final_loss == result.final.final_loss
    assert not torch.equal(threaded.stages[0].weights, threaded.task.weights[0])


@pytest.mark.parametrize("mitigation", ["none", "stash", "i-timeprest", "spectrain"])
def test_recompute_too(mitigation):
    pipeline = {"stages": 2, "mitigation": mitigation, "backward": "recompute"}
    driven, _, threaded, _ = both(**pipeline)
    assert_same_stages(driven, threaded)
    graph = cpu_assembly(stages=2, mitigation=mitigation)
    run(graph, cpu_lanes(2))
    same = torch.equal(graph.stages[0].weights, threaded.stages[0].weights)
    assert same is (mitigation == "stash")


def test_adam_predicts_with_its_own_step():
    pipeline = {"stages": 2, "mitigation": {"name": "spectrain", "horizon": "update"},
                "settings": RunSettings(optimizer="adam"), "training": {"learning_rate": 0.001}}
    driven, _, threaded, _ = both(**pipeline)
    assert_same_stages(driven, threaded)


def test_the_optimizer_is_the_experiments_unless_the_settings_name_one():
    rate = {"learning_rate": 0.001}
    asked = [cpu_assembly(stages=2, training=rate, settings=RunSettings(optimizer="adam")),
             cpu_assembly(stages=2, training=rate | {"optimizer": "adam"}),
             cpu_assembly(stages=2, training=rate | {"optimizer": "adam"},
                          settings=RunSettings(optimizer="momentum")),
             cpu_assembly(stages=2, training=rate)]
    named = [run(each, cpu_lanes(2)).header.experiment["training"]["optimizer"]
             for each in asked]
    assert named == ["adam", "adam", "momentum", "momentum"]
    one, two, three, four = ([stage.weights for stage in each.stages] for each in asked)
    assert all(map(torch.equal, one, two))
    assert all(map(torch.equal, three, four))
    assert not torch.equal(one[0], three[0])


def test_an_unknown_optimizer_is_refused_with_the_nearest():
    with pytest.raises(ConfigurationError, match="did you mean adam"):
        cpu_assembly(settings=RunSettings(optimizer="adm"))


def test_a_stage_that_reads_another_version_is_found_out():
    assembly, honest = cpu_assembly(stages=2), virtual(stages=2)
    stage, plan = assembly.stages[0], assembly.plan
    tampered = plan.backward.copy()
    tampered[0, 3] -= 1
    assembly.stages[0] = watched_stage(0, stage.model, stage.optimizer,
                                       replace(plan, backward=tampered), LearningRate(0.05))
    trace = run(assembly, cpu_lanes(2))
    wrong = np.flatnonzero(trace.version_read != honest.version_read)
    assert [str(trace.instruction(row)) for row in wrong] == ["0B3"]


def test_times_are_a_possible_execution():
    assembly = cpu_assembly(stages=3, minibatches=8)
    trace = run(assembly, cpu_lanes(3))
    assert (trace.end_s >= trace.start_s).all()
    assert trace.start_s.min() == 0
    for device in range(3):
        mine = trace.device == device
        assert (trace.start_s[mine][1:] >= trace.end_s[mine][:-1]).all()
    before, after = assembly.program.dependencies
    assert (trace.start_s[after] >= trace.end_s[before]).all()
    crossing = assembly.program.arrives_from >= 0
    assert np.array_equal(crossing, ~np.isnan(trace.sent_s))
    assert (trace.arrived_s[crossing] >= trace.sent_s[crossing]).all()
    assert (trace.start_s[crossing] >= trace.arrived_s[crossing]).all()


def test_a_trace_replays_on_the_other_backend():
    assembly = cpu_assembly(stages=2, mitigation="stash")
    trace = run(assembly, cpu_lanes(2))
    assert trace.program() == assembly.program
    predicted = simulate(assembly.experiment, trace.program())
    assert np.array_equal(predicted.version_read, trace.version_read)


def test_a_lowered_program_keeps_its_messages():
    program = cpu_assembly(stages=2).program.lower()
    assembly = cpu_assembly(stages=2, program=program)
    trace = run(assembly, cpu_lanes(2))
    assert trace.program() == program
    assert (trace.op > Op.U).sum() == 4 * 6


def test_several_stages_on_one_device():
    shape = PipelineShape(stages=4, minibatches=3, chunks=2)

    def stream(device):
        for i in range(3):
            yield from (Instruction(k, Op.F, i) for k in (device, device + 2))
            yield from (Instruction(k, Op.B, i) for k in (device + 2, device))

    program = Program.from_streams(shape, [stream(0), stream(1)]).validate()
    pipeline = {"stages": 4, "minibatches": 3, "program": program}
    driven, _, threaded, _ = both(**pipeline)
    assert_same_stages(driven, threaded)


def test_one_full_resnet50_step():
    settings = RunSettings(model="resnet50", image_size=64)
    assembly = cpu_assembly(stages=2, minibatches=1, settings=settings,
                            training={"batch_size": 2, "distances": False})
    trace = run(assembly, cpu_lanes(2), evaluate=False)
    assert sum(len(stage.weights) for stage in assembly.stages) == 25_557_032
    assert [stage.version for stage in assembly.stages] == [1, 1]
    assert np.isfinite(trace.curves["minibatch_loss"]).all()


def test_learning_happens():
    trace = run(cpu_assembly(stages=2, minibatches=40, training={"batch_size": 16}), cpu_lanes(2))
    assert trace.header.training.accuracy > 0.9
    assert trace.curves["minibatch_loss"][-5:].mean() < 0.5 * trace.curves["minibatch_loss"][0]
