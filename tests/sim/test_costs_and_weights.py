"""Order decides numerics, time decides throughput: costs never change a weight."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.mitigations import MITIGATIONS
from sim.order.program import Program
from tests.sim.experiments import TINY, history, same_weights, simulate
from tests.sim.pairs import accepted
from tests.sim.strategies import names, shapes, timings

NUMERIC = ("version_read", "version_applied", "staleness", "effective_staleness",
           "weight_distance", "weight_rmse")


@st.composite
def cases(draw):
    shape = draw(shapes(3, 5, (1, 2)))
    schedule = draw(names)
    mitigation = draw(st.sampled_from(MITIGATIONS.names()))
    return schedule, mitigation, shape, draw(timings(shape.stages))


@settings(max_examples=40)
@given(cases())
def test_costs_links_and_jitter_leave_weights_losses_and_versions_alone(case):
    schedule, mitigation, shape, keys = case
    if not accepted(schedule, mitigation, shape.stages, shape.microbatches):
        return
    fixed = {**TINY, "schedule": schedule, "mitigation": mitigation, "stages": shape.stages,
             "minibatches": shape.minibatches, "microbatches": shape.microbatches}
    plain, weights = history(**fixed, seed=keys["seed"])
    timed, others = history(**fixed, **keys)
    assert same_weights(weights, others)
    assert np.array_equal(plain.curves["minibatch_loss"], timed.curves["minibatch_loss"])
    for name in NUMERIC:
        assert np.array_equal(getattr(plain, name), getattr(timed, name), equal_nan=True)
    assert plain.header.training == timed.header.training


def test_the_seed_changes_the_weights():
    one, same, other = (history(**TINY, minibatches=3, seed=seed)[1] for seed in (0, 0, 1))
    assert same_weights(one, same)
    assert not same_weights(one, other)


EVERYTHING = {**TINY, "stages": 3, "minibatches": 8, "jitter": {"sigma": 0.4}, "latency_s": 0.1,
              "evaluate_every": 4}


@pytest.mark.parametrize("dispatch", ["static", "greedy"])
def test_one_seed_gives_one_file_byte_for_byte(tmp_path, dispatch):
    for name in ("one", "same"):
        simulate(**EVERYTHING, dispatch=dispatch, seed=4).save(tmp_path / name)
    simulate(**EVERYTHING, dispatch=dispatch, seed=5).save(tmp_path / "other")
    one, same, other = ((tmp_path / name).read_bytes() for name in ("one", "same", "other"))
    assert one == same
    assert one != other


@given(names, shapes(4, 5, (1, 2, 4)), st.data())
def test_a_lowered_program_takes_the_same_times(name, shape, data):
    keys = {**data.draw(timings(shape.stages)), "stages": shape.stages, "task": "none",
            "schedule": name, "minibatches": shape.minibatches,
            "microbatches": shape.microbatches}
    whole = simulate(**keys)
    lowered = simulate(Program.from_trace(whole).lower(), **keys)
    starts = {str(whole.instruction(r)): whole.start_s[r] for r in range(len(whole))}
    again = {str(lowered.instruction(r)): lowered.start_s[r] for r in range(len(lowered))}
    assert {name: again[name] for name in starts} == starts
    assert lowered.end_s.max() == whole.end_s.max()


@pytest.mark.parametrize("schedule", ["round-robin", "nf1b", "1f1b"])
def test_a_lowered_program_trains_the_same_weights(schedule):
    keys = {**TINY, "schedule": schedule, "stages": 3, "minibatches": 6, "microbatches": 2}
    whole, weights = history(**keys)
    _, lowered = history(Program.from_trace(whole).lower(), **keys)
    assert same_weights(weights, lowered)
