"""Profiles: what is read, and every error with the file and the path in it."""

import json

import numpy as np
import pytest

from sim.errors import ConfigurationError, ProfileError
from sim.header import StageBytes
from sim.op import Op
from sim.times.costs import CostModel
from sim.times.profile import read_profile, write_profile
from tests.sim.experiments import TIMES, schedule_program, simulate
from tests.sim.strategies import halved

STAGE = {"forward_s": 0.5, "backward_s": 1.0}
GOOD = {"format": "pipestale-profile", "version": 1, "stages": [STAGE, STAGE]}


def written(tmp_path, content) -> str:
    path = tmp_path / "profile.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def test_only_the_seconds_of_the_stages_are_required(tmp_path):
    profile = read_profile(written(tmp_path, GOOD))
    assert [stage.forward_s for stage in profile.stages] == [0.5, 0.5]
    assert profile.stages[0].recompute_s is None
    assert profile.boundary_bytes is None


def test_everything_that_was_measured_is_read(tmp_path):
    full = {**GOOD, "device": "a GPU", "microbatch_size": 8, "latency_s": 1e-5,
            "boundary_bytes": [400.0], "bandwidth_bytes_per_s": 1e10, "notes": {"torch": "2"},
            "stages": [{**STAGE, "recompute_s": 0.4, "update_s": 0.1, "weight_bytes": 10.0,
                        "activation_bytes": 20.0, "input_bytes": 5.0, "workspace_bytes": 0.0}]}
    profile = read_profile(written(tmp_path, full))
    assert profile.stages[0].weight_bytes == 10.0
    assert profile.boundary_bytes == (400.0,)
    assert profile.notes == {"torch": "2"}


@pytest.mark.parametrize(("content", "said"), [
    ("", ["not JSON"]),
    ("{", ["not JSON"]),
    ("[]", ["valid dictionary"]),
    ("{}", ["format: ", "version: ", "stages: "]),
    ({**GOOD, "format": "other"}, ["format: "]),
    ({**GOOD, "version": 2}, ["version: "]),
    ({**GOOD, "stages": []}, ["stages: "]),
    ({**GOOD, "stages": [{"forward_s": 1.0}]}, ["stages.0.backward_s: "]),
    ({**GOOD, "stages": [STAGE, {**STAGE, "forward_s": -1.0}]}, ["stages.1.forward_s: "]),
    ({**GOOD, "stages": [{**STAGE, "forward_s": "1"}]}, ["stages.0.forward_s: "]),
    ({**GOOD, "stages": [{**STAGE, "speed": 1}], "colour": 1},
     ["stages.0.speed: ", "colour: "]),
    ({**GOOD, "latency_s": None, "bandwidth_bytes_per_s": 0}, ["latency_s: ",
                                                              "bandwidth_bytes_per_s: "]),
    (json.dumps(GOOD).replace("0.5", "NaN"), ["stages.0.forward_s: "]),
    (json.dumps(GOOD).replace("0.5", "Infinity"), ["stages.0.forward_s: "]),
])
def test_every_error_has_the_file_and_the_path(tmp_path, content, said):
    path = written(tmp_path, content)
    with pytest.raises(ProfileError) as caught:
        read_profile(path)
    lines = str(caught.value).splitlines()
    assert len(lines) >= len(said)
    assert all(line.startswith(f"{path}: ") for line in lines)
    for part in said:
        assert any(part in line for line in lines)


def test_a_missing_file_and_bytes_that_are_no_text_are_said(tmp_path):
    with pytest.raises(ProfileError, match="there is no such file"):
        read_profile(tmp_path / "none.json")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ProfileError, match="not a UTF-8 text file"):
        read_profile(tmp_path / "bytes")


@pytest.mark.parametrize("content", ["[" * 100_000, '{"a": ' * 100_000, "9" * 5000],
                         ids=["lists", "tables", "number"])
def test_a_file_too_deep_or_long_to_parse_is_a_profile_error(tmp_path, content):
    with pytest.raises(ProfileError):
        read_profile(written(tmp_path, content))


def refusal(**keys) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        simulate(**TIMES, **keys)
    return caught.value.problems


def test_an_experiment_reports_every_error_of_its_profile(tmp_path):
    path = written(tmp_path, {**GOOD, "colour": 1, "version": 3})
    found = refusal(stages=2, profile=path)
    assert len(found) == 2
    assert all(line.startswith(f"costs.profile: {path}: ") for line in found)


def test_a_profile_of_other_stages_is_refused(tmp_path):
    (problem,) = refusal(stages=3, profile=written(tmp_path, GOOD))
    assert problem.startswith("costs.profile: ")
    assert "has 2 stages, the pipeline needs 3" in problem


def test_a_profile_of_other_boundaries_is_refused(tmp_path):
    path = written(tmp_path, {**GOOD, "boundary_bytes": [1.0, 2.0]})
    (problem,) = refusal(stages=2, profile=path)
    assert "has 2 boundary_bytes, the pipeline needs 1" in problem


def test_sizes_of_a_profile_reach_the_header_and_the_memory_limit(tmp_path):
    stages = [{**STAGE, "weight_bytes": 7.0, "activation_bytes": 20.0, "input_bytes": 5.0}] * 2
    path = written(tmp_path, {**GOOD, "stages": stages, "boundary_bytes": [3.0]})
    graph, again = (simulate(stages=2, minibatches=2, profile=path, backward=backward, **TIMES)
                    for backward in ("graph", "recompute"))
    assert graph.header.sizes == StageBytes([7.0, 7.0], [20.0, 20.0], [3.0])
    assert again.header.sizes.activation_bytes == [5.0, 5.0]
    configured = simulate(stages=2, minibatches=2, profile=path, activation_bytes=1.0, **TIMES)
    assert configured.header.sizes.activation_bytes == [1.0, 1.0]


def test_sizes_of_the_perceptron_are_those_of_its_arrays():
    trace = simulate(stages=3, minibatches=2, width=6, batch_size=8, microbatches=2)
    assert trace.header.sizes.weight_bytes == [8.0 * n for n in (65 * 6, 7 * 6, 7 * 10)]
    assert trace.header.sizes.boundary_bytes == [8.0 * 4 * 6] * 2


@pytest.mark.parametrize(("backward", "kept"), [
    ("graph", [64 + 6 + 6, 6 + 10]), ("recompute", [64, 6])])
def test_a_stage_keeps_every_layers_input_and_its_output_or_its_input_alone(backward, kept):
    trace = simulate(stages=2, minibatches=2, width=6, batch_size=8, backward=backward)
    assert trace.header.sizes.activation_bytes == [8.0 * 8 * numbers for numbers in kept]


SAMPLE = {"size_bytes": 100.0, "seconds": {"median": 0.5, "iqr": 0.1, "repeats": 5}}
PAIR = {"stage": 0, "op": "F", "beside_stage": 1, "beside_op": "B", "factor": 1.4}
WAY = {"boundary": 0, "direction": "forward", "samples": [SAMPLE]}
WHOLE = {**GOOD, "placement": ["gpu", "gpu"], "beside": [PAIR], "transfers": [WAY],
         "interpreter": ["python", "python"], "lock_share": 0.8,
         "stages": [{**STAGE, "input_backward_s": 0.4, "weight_backward_s": 0.7, "held_bytes": 9.0,
                     "rise_bytes": {"F": 3.0, "B": 4.0}, "issue_s": {"F": 0.1, "U": 0.0}}, STAGE]}


def test_costs_that_explain_events_are_read_and_written_again(tmp_path):
    profile = read_profile(written(tmp_path, WHOLE))
    assert profile.beside[0].factor == 1.4
    assert profile.transfers[0].samples[0].seconds.median == 0.5
    assert (profile.interpreter, profile.lock_share) == (("python", "python"), 0.8)
    assert profile.stages[0].rise_bytes == {"F": 3.0, "B": 4.0}
    assert profile.stages[0].issue_s == {"F": 0.1, "U": 0.0}
    assert profile.stages[1].issue_s == {}
    write_profile(profile, tmp_path / "again.json")
    assert read_profile(tmp_path / "again.json") == profile


def test_what_was_not_measured_is_not_written(tmp_path):
    """So that tools that know no more than the required keys can read it."""
    write_profile(read_profile(written(tmp_path, GOOD)), tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_text()) == GOOD


@pytest.mark.parametrize(("changed", "said"), [
    ({"beside": [{**PAIR, "stage": 2}]}, "beside.0.stage: stages are 0 to 1, got 2"),
    ({"beside": [PAIR, {**PAIR, "op": "B", "beside_stage": 7}]},
     "beside.1.beside_stage: stages are 0 to 1, got 7"),
    ({"beside": [{**PAIR, "stage": -1}]}, "beside.0.stage: "),
    ({"beside": [{**PAIR, "op": "SEND_F"}]}, "beside.0.op: "),
    ({"beside": [{**PAIR, "beside_op": "f"}]}, "beside.0.beside_op: "),
    ({"beside": [{**PAIR, "factor": 0.0}]}, "beside.0.factor: "),
    ({"beside": [PAIR, PAIR]}, "beside: F of stage 0 beside B of stage 1, 2 times"),
    ({"interpreter": ["python"]}, "interpreter: one name per stage, so 2, got 1"),
    ({"lock_share": 1.5}, "lock_share: "),
    ({"transfers": [{**WAY, "boundary": 1}]}, "transfers.0.boundary: boundaries are 0 to 0, got 1"),
    ({"transfers": [{**WAY, "direction": "up"}]}, "transfers.0.direction: "),
    ({"transfers": [{**WAY, "samples": []}]}, "transfers.0.samples: "),
    ({"transfers": [{**WAY, "samples": [SAMPLE, SAMPLE]}]},
     "transfers.0.samples: 100 bytes, 2 times"),
    ({"transfers": [WAY, WAY]}, "transfers: boundary 0 forward, 2 times"),
    ({"stages": [STAGE], "transfers": [WAY]}, "transfers.0.boundary: one stage has none, got 0"),
    ({"stages": [STAGE, {**STAGE, "issue_s": {"X": 1.0}}]}, "stages.1.issue_s.X"),
    ({"stages": [STAGE, {**STAGE, "issue_s": {"F": -1.0}}]}, "stages.1.issue_s.F: "),
    ({"stages": [STAGE, {**STAGE, "rise_bytes": {"FB": 1.0}}]}, "stages.1.rise_bytes.FB"),
    ({"stages": [STAGE, {**STAGE, "weight_backward_s": -1.0}]}, "stages.1.weight_backward_s: "),
])
def test_costs_of_what_is_not_there_are_refused_with_the_place(tmp_path, changed, said):
    path = written(tmp_path, {**GOOD, **changed})
    with pytest.raises(ProfileError) as caught:
        read_profile(path)
    assert f"{path}: {said}" in str(caught.value)


def test_interpreters_of_another_number_of_stages_are_told_of_with_the_experiment(tmp_path):
    (problem,) = refusal(stages=2, profile=written(tmp_path, {**GOOD, "interpreter": ["a"]}))
    assert problem.endswith("interpreter: one name per stage, so 2, got 1")


@pytest.mark.parametrize(("halves", "expected"), [
    ({}, {"I": 0.5, "W": 0.5}),
    ({"input_backward_s": 0.25, "weight_backward_s": 0.875}, {"I": 0.25, "W": 0.875}),
    ({"weight_backward_s": 0.875}, {"I": 0.5, "W": 0.875})])
def test_halves_of_a_backward_take_what_was_measured_of_them(tmp_path, halves, expected):
    path = written(tmp_path, {**GOOD, "stages": [{**STAGE, **halves}, STAGE]})
    program = halved(schedule_program("1f1b", 2, 3, 2))
    trace = simulate(program, stages=2, minibatches=3, microbatches=2, profile=path, **TIMES)
    for name, seconds in expected.items():
        for stage, each in ((0, seconds), (1, 0.5)):
            rows = (trace.op == Op[name]) & (trace.stage == stage)
            assert set((trace.end_s - trace.start_s)[rows]) == {each}


def test_halves_are_slowed_as_the_whole_is_beside_neighbours():
    one = np.ones(2)
    costs = CostModel(one, 2 * one, one, 0 * one, input_backward_s=0.5 * one)
    slow = costs.slowed(np.array([1.0, 3.0]))
    assert slow.backward_s.tolist() == [2.0, 6.0]
    assert slow.input_backward_s.tolist() == [0.5, 1.5]
    assert slow.weight_backward_s is None
