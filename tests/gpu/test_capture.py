"""Captured stages: the same numbers as eager ones, with a slot for every micro-batch in flight."""

import re

import pytest
import torch
from torch import nn

from gpu.capture.captured import CapturedStage, Sample
from gpu.capture.slots import InFlight, in_flight
from gpu.model.stage_model import TorchStage
from gpu.runtime.assembly import assemble
from gpu.runtime.run import run
from gpu.runtime.settings import RunSettings
from sim.op import Op
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from tests.gpu.conftest import cpu_assembly, cpu_lanes
from tests.gpu.tape import Tape, tape_lanes
from tests.gpu.test_runtime import CASES, assert_same_stages
from tests.sim.fitting import ONE_HOME, fitted

HALVES = ("0F0,0F1,0I0,0F2,0I1,0W0,0U0,0I2,0W1,0U1,0W2,0U2\n"
          "1F0,1I0,1F1,1I1,1W0,1U0,1F2,1I2,1W1,1U1,1W2,1U2\n")
WHOLE = re.sub(r"\dW\d,", "", HALVES).replace("I", "B")


# every schedule with every mitigation, of both shapes the one with more in flight
PAIRS = list({(case.values[0]["schedule"], str(case.values[0]["mitigation"])): case
              for case in CASES}.values())
EVERY = 3  # of them is tried by `make test`, the others by `make verify`
TRIED = [case if number % EVERY == 0 else
         pytest.param(*case.values, id=case.id, marks=pytest.mark.verify)
         for number, case in enumerate(PAIRS)]


def eager_and_captured(minibatches=4, **pipeline):
    eager, captured = (cpu_assembly(minibatches=minibatches, **pipeline) for _ in range(2))
    run(eager, cpu_lanes(eager.program.devices))
    trace = run(captured, tape_lanes(captured.program.devices))
    return eager, captured, trace


@pytest.mark.parametrize("pipeline", TRIED)
def test_captured_stages_learn_what_eager_ones_learn(pipeline):
    batch = {"batch_size": 2 * pipeline.get("microbatches", 1)}
    eager, captured, trace = eager_and_captured(training=batch, **pipeline)
    assert trace.header.measured().graphs is True
    assert all(isinstance(stage.model, CapturedStage) for stage in captured.stages)
    assert_same_stages(eager, captured)


@pytest.mark.parametrize("mitigation", ["none", "stash", "spectrain", "i-timeprest"])
@pytest.mark.parametrize("training", [{}, {"optimizer": "adam", "learning_rate": 0.001}])
def test_recompute_and_other_optimizers_too(mitigation, training):
    eager, captured, _ = eager_and_captured(stages=2, mitigation=mitigation, training=training,
                                            backward="recompute")
    assert_same_stages(eager, captured)
    assert all(len(stage.model.all) == 1 for stage in captured.stages)


@pytest.mark.parametrize("mitigation", ["none", "stash", "spectrain"])
@pytest.mark.parametrize("backward", ["graph", "recompute"])
def test_halves_of_a_backward_too(mitigation, backward):
    made = {"stages": 2, "minibatches": 3, "mitigation": mitigation, "backward": backward,
            "schedule": "file"}
    eager, captured, _ = eager_and_captured(**made, program=Program.parse(HALVES))
    assert_same_stages(eager, captured)
    whole = cpu_assembly(**made, program=Program.parse(WHOLE))
    run(whole, cpu_lanes(2))
    for one, two in zip(eager.stages, whole.stages, strict=True):
        assert torch.equal(one.weights, two.weights)
    assert not torch.equal(eager.stages[0].weights, eager.task.weights[0])


def test_slots_are_the_peak_in_flight():
    for schedule in ONE_HOME:
        shape = fitted(schedule, PipelineShape(3, 3, 4 if schedule != "round-robin" else 1))
        program = SCHEDULES[schedule].program(shape)
        for k in range(shape.stages):
            open_, most, halves, apart = 0, 0, 0, 0
            for row in range(len(program)):
                op, stage, _, count = (int(c[row]) for c in program.rows)
                if stage == k:
                    open_ += (op == Op.F) - count * (op in (Op.B, Op.W))
                    halves += count * ((op == Op.I) - (op == Op.W))
                    most, apart = max(most, open_), max(apart, halves)
            assert in_flight(program, k) == (most, apart)
    assert in_flight(Program.parse(HALVES), 0) == InFlight(3, 2)


def small(seed=0, *, first=False, recompute=False, device="cpu"):
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(),
                           nn.Flatten(), nn.Linear(4 * 36, 5))
    return TorchStage(module.to(device), first=first, recompute=recompute)


def sample(seed):
    torch.manual_seed(seed)
    return Sample(torch.randn(2, 3, 6, 6), None, torch.randn(2, 5))


def test_a_backward_sees_weights_written_between_it_and_its_forward():
    """Convolution, BatchNorm and Linear alike: the input gradient is formed with the new ones."""
    eager, model, given = small(), small(), sample(1)
    captured = CapturedStage(model, Tape(), sample(2), InFlight(2, 0))
    before = eager.first_weights()
    for start, end in ((0, 112), (112, 120), (120, len(before))):  # of each layer's parameters
        after = before.clone()
        after[start:end] *= 2
        _, saved = eager.forward(before, given.inputs)
        _, slot = captured.forward(before, given.inputs)
        wanted = eager.backward(after, saved, given.gradient)
        found = captured.backward(after, slot, given.gradient)
        assert all(map(torch.equal, wanted, found))
        _, saved = eager.forward(before, given.inputs)
        assert not torch.equal(wanted[1], eager.backward(before, saved, given.gradient)[1])


def test_micro_batches_in_flight_do_not_touch_each_other():
    eager, captured = small(), CapturedStage(small(), Tape(), sample(9), InFlight(3, 0))
    weights, given = eager.first_weights(), [sample(seed) for seed in range(3)]
    forward = [captured.forward(weights, each.inputs) for each in given]
    for n in (1, 0, 2):
        output, saved = eager.forward(weights, given[n].inputs)
        assert torch.equal(output, forward[n][0])
        found = captured.backward(weights, forward[n][1], given[n].gradient)
        assert all(map(torch.equal, eager.backward(weights, saved, given[n].gradient), found))
    assert len(captured.slots) == 3


def test_what_a_slot_gave_is_not_overwritten_by_its_next_use():
    captured = CapturedStage(small(), Tape(), sample(9), InFlight(1, 0))
    weights = captured.first_weights()
    output, slot = captured.forward(weights, sample(1).inputs)
    kept = output.clone()
    own, passed_on = captured.backward(weights, slot, sample(1).gradient)
    copies = own.clone(), passed_on.clone()
    _, slot = captured.forward(weights, sample(2).inputs)
    captured.backward(weights, slot, sample(2).gradient)
    assert torch.equal(output, kept)
    assert torch.equal(own, copies[0])
    assert torch.equal(passed_on, copies[1])


def test_more_in_flight_than_slots_is_an_error_and_a_backward_frees_one():
    captured = CapturedStage(small(), Tape(), sample(9), InFlight(1, 0))
    weights, given = captured.first_weights(), sample(1)
    _, slot = captured.forward(weights, given.inputs)
    with pytest.raises(RuntimeError, match="all 1 captured copies"):
        captured.forward(weights, given.inputs)
    captured.backward(weights, slot, given.gradient)
    _, slot = captured.forward(weights, given.inputs)
    captured.drop(slot)
    captured.forward(weights, given.inputs)
    captured.reset()
    assert len(captured.slots) == 1


def test_running_statistics_move_by_forwards_alone_and_not_by_those_run_again():
    for recompute in (False, True):
        eager, model = small(recompute=recompute), small(recompute=recompute)
        with model.as_it_was():
            captured = CapturedStage(model, Tape(), sample(9), InFlight(3, 0))
        weights = eager.first_weights()
        for seed in range(3):
            eager.forward(weights, sample(seed).inputs)
            captured.forward(weights, sample(seed).inputs)
            if recompute:
                captured.drop(captured.forward_again(weights, sample(seed).inputs))
        for one, two in zip(eager.module.buffers(), model.module.buffers(), strict=True):
            assert torch.equal(one, two)
        assert int(model.module[1].num_batches_tracked) == 3


def test_a_stage_that_cannot_be_captured_leaves_all_eager_and_says_why():
    assembly, eager = cpu_assembly(stages=2), cpu_assembly(stages=2)
    trace = run(assembly, tape_lanes(2, fails=3))
    gpu = trace.header.measured()
    assert gpu.graphs is False
    assert "stage 0 cannot be captured" in gpu.graphs_why or "stage 1" in gpu.graphs_why
    assert "\n" not in gpu.graphs_why
    assert all(isinstance(stage.model, TorchStage) for stage in assembly.stages)
    run(eager, cpu_lanes(2))
    assert_same_stages(eager, assembly)


@pytest.mark.parametrize(("graphs", "why"), [
    ("auto", None), ("off", None), ("on", "a CPU has no CUDA graphs: stages run eagerly")])
def test_without_cuda_stages_run_eagerly(graphs, why):
    assembly = cpu_assembly(stages=2, minibatches=3, settings=RunSettings(graphs=graphs))
    gpu = run(assembly, cpu_lanes(2)).header.measured()
    assert (gpu.graphs, gpu.graphs_why) == (False, why)


def test_captured_only_if_asked_for():
    assembly = cpu_assembly(stages=2, minibatches=3, settings=RunSettings(graphs="off"))
    lanes = tape_lanes(2)
    assert run(assembly, lanes).header.measured().graphs is False
    assert not lanes[0].tape.recordings


@pytest.mark.parametrize("lanes", [cpu_lanes, tape_lanes])
def test_stages_can_be_taken_up_again_from_their_first_weights(lanes):
    """Another mitigation and number of mini-batches on the same network, images and recordings."""
    used, devices = cpu_assembly(stages=2, mitigation="spectrain"), [torch.device("cpu")] * 2
    run(used, lanes(2))
    fresh = cpu_assembly(stages=2, minibatches=4, mitigation="stash")
    again = assemble(fresh.experiment, RunSettings(), devices, like=used)
    assert again.task.images is used.task.images
    tape = lanes(2)
    run(fresh, cpu_lanes(2))
    run(again, tape)
    assert_same_stages(fresh, again)
    assert lanes is cpu_lanes or not any(lane.tape.recordings for lane in tape)


def test_more_slots_are_recorded_where_a_program_needs_more():
    used, devices = cpu_assembly(stages=2, schedule="sequential"), [torch.device("cpu")] * 2
    run(used, tape_lanes(2))
    again = assemble(cpu_assembly(stages=2).experiment, RunSettings(), devices, like=used)
    lanes = tape_lanes(2)
    run(again, lanes)
    assert len(again.stages[0].model.all) == 2
    assert lanes[0].tape.recordings
    assert not lanes[1].tape.recordings


def test_a_second_run_replays_what_the_first_recorded():
    assembly = cpu_assembly(stages=2, minibatches=4)
    lanes = tape_lanes(2)
    run(assembly, lanes)
    recorded = [len(lane.tape.recordings) for lane in lanes]
    assert recorded == [2 * in_flight(assembly.program, k).forward for k in range(2)]
    assert all(one.replays for lane in lanes for one in lane.tape.recordings)
