"""Profiles: what is read, and every error with the file and the path in it."""

import json

import pytest

from sim.errors import ConfigurationError, ProfileError
from sim.header import StageBytes
from sim.times.profile import read_profile
from tests.sim.experiments import TIMES, simulate

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
    with pytest.raises(ProfileError, match="No such file"):
        read_profile(tmp_path / "none.json")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ProfileError, match="not a text file"):
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
