"""Running an experiment, or a given program under its costs and mitigation."""

import pytest

from sim.errors import ConfigurationError, InvalidProgramError
from sim.order.program import Program
from sim.order.shape import PipelineShape
from tests.sim.experiments import TIMES, TINY, schedule_program, simulate


@pytest.mark.parametrize("shape", [(2, 4, 1), (4, 4, 1), (3, 5, 1), (3, 2, 2)])
@pytest.mark.parametrize("task", ["none", "digits-mlp"])
def test_a_program_of_another_shape_than_the_experiments_is_refused(shape, task):
    program = schedule_program("round-robin", *shape)
    with pytest.raises(ConfigurationError, match="program"):
        simulate(program, **{**TINY, "task": task}, stages=3, minibatches=4)


def test_a_schedule_from_a_file_needs_the_file():
    with pytest.raises(ConfigurationError, match=r"pipeline\.schedule"):
        simulate(schedule="file", **TIMES)


def test_a_given_program_is_run_in_its_order():
    program = schedule_program("sequential", 3, 4)
    trace = simulate(program, schedule="file", stages=3, minibatches=4, **TIMES)
    assert trace.program() == program
    assert trace.end_s.max() == 4 * 6


def test_a_program_of_fewer_devices_than_its_shape_is_refused_or_replayed_unchanged():
    """Two stages on the one device of a shape that has two."""
    try:
        program = Program.parse("0F0,1F0,1B0,1U0,0B0,0U0\n", PipelineShape(2, 1))
    except InvalidProgramError:
        return
    trace = simulate(program, stages=2, minibatches=1, **TIMES)
    assert trace.program() == program


@pytest.mark.parametrize("changes", [
    {"stages": 0}, {"minibatches": 0}, {"microbatches": 0}, {"chunks": 0}])
def test_a_shape_of_nothing_is_refused(changes):
    (name,) = changes
    with pytest.raises(ValueError, match=f"{name} is at least 1, got 0"):
        PipelineShape(**{"stages": 2, "minibatches": 2, **changes})


def test_chunks_divide_the_stages_into_devices():
    assert PipelineShape(6, 1, chunks=3).devices == 2
    with pytest.raises(ValueError, match="chunks divides stages, got 5 by 2"):
        PipelineShape(5, 1, chunks=2)


def test_two_chunks_a_device_run_and_train_like_one_stage_a_device():
    """Four stages of one micro-batch at a time, dealt to two devices in turn."""
    from tests.sim.experiments import history, same_weights

    passes = [[], []]
    for m in range(3):
        for k in range(4):
            passes[k % 2].append(f"{k}F{m}")
        for k in (3, 2, 1, 0):
            passes[k % 2] += [f"{k}B{m}", f"{k}U{m}"]
    program = Program.parse("\n".join(map(",".join, passes)), PipelineShape(4, 3, chunks=2))
    keys = {**TINY, "stages": 4, "minibatches": 3, "latency_s": 0.5}
    trace, weights = history(program.validate(), **keys)
    assert trace.end_s.max() == 3 * (8 + 6 * 0.5)
    assert same_weights(weights, history(**keys, schedule="sequential")[1])
    assert trace.program() == program
    greedy = simulate(program, **keys, dispatch="greedy")
    assert greedy.program().validate().devices == 2
