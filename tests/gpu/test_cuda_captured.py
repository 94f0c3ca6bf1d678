"""On a CUDA device: captured stages give eager ones' numbers to the bit, on halves of it too."""

import pytest
import torch

from gpu.capture.captured import CapturedStage
from gpu.capture.slots import InFlight
from gpu.lanes.devices import open_lanes, parse_devices
from gpu.runtime.assembly import assemble
from gpu.runtime.run import run
from gpu.runtime.settings import RunSettings
from sim.experiment.configuration import resolve
from sim.order.program import Program
from tests.gpu.test_capture import HALVES, sample, small
from tests.gpu.test_runtime import CASES, assert_same_stages

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.fixture(autouse=True, scope="module")
def repeatable():
    from gpu.determinism import exact

    if torch.cuda.is_available():
        exact()


def on_parts(graphs, program=None, **pipeline):
    experiment = resolve({"pipeline": {"minibatches": 6, **pipeline},
                          "training": {"batch_size": 4, "seed": 3}})
    devices = program.devices if program else experiment.shape.devices
    specs = parse_devices(f"cuda:0/{devices}")
    assembly = assemble(experiment, RunSettings(graphs=graphs), [s.device for s in specs],
                        program=program)
    return assembly, run(assembly, open_lanes(specs))


@pytest.mark.parametrize("pipeline", CASES)
def test_captured_runs_learn_what_eager_ones_learn(pipeline):
    eager, _ = on_parts("off", **pipeline)
    captured, trace = on_parts("on", **pipeline)
    assert trace.header.measured().graphs is True, trace.header.measured().graphs_why
    assert_same_stages(eager, captured)
    assert (trace.issued_s >= trace.asked_s).all()


@pytest.mark.parametrize("backward", ["graph", "recompute"])
def test_halves_of_a_backward_too(backward):
    made = {"stages": 2, "minibatches": 3, "backward": backward, "schedule": "file"}
    eager, _ = on_parts("off", Program.parse(HALVES), **made)
    captured, trace = on_parts("on", Program.parse(HALVES), **made)
    assert trace.header.measured().graphs is True
    assert_same_stages(eager, captured)


@pytest.mark.parametrize("layer", [(0, 112), (112, 120), (120, None)],
                         ids=["convolution", "BatchNorm", "Linear"])
def test_a_backward_sees_weights_written_between_it_and_its_forward(layer):
    (lane,) = open_lanes(parse_devices("cuda:0"))
    with lane.current():
        eager, model = (small(device="cuda") for _ in range(2))
        given = sample(1)
        given = type(given)(given.inputs.cuda(), None, given.gradient.cuda())
        with model.as_it_was():
            for _ in range(3):
                model.backward(model.first_weights(),
                               model.forward(model.first_weights(), given.inputs)[1],
                               given.gradient)
            lane.rest()
            captured = CapturedStage(model, lane.recorder(), given, InFlight(2, 0))
        before = eager.first_weights()
        after = before.clone()
        after[slice(*layer)] *= 2
        _, saved = eager.forward(before, given.inputs)
        _, slot = captured.forward(before, given.inputs)
        wanted = eager.backward(after, saved, given.gradient)
        found = captured.backward(after, slot, given.gradient)
        lane.rest()
    assert all(map(torch.equal, wanted, found))
    assert not torch.equal(wanted[1], eager.backward(
        before, eager.forward(before, given.inputs)[1], given.gradient)[1])


def test_the_first_mini_batch_is_within_the_spread_of_the_others():
    _, trace = on_parts("on", stages=2, minibatches=20)
    for stage in range(2):
        forwards = (trace.end_s - trace.start_s)[(trace.op == 0) & (trace.stage == stage)]
        assert forwards[0] <= 1.5 * forwards[1:].max()
