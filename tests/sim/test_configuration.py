"""The configuration: its defaults, and every mistake listed with its path and the choices."""

import math
import tomllib

import pytest

from sim.configuration import (
    ConfigurationError,
    Experiment,
    make_mitigation,
    read_experiment,
    resolve,
)
from sim.mitigations import MITIGATIONS
from sim.schedules import SCHEDULES

DEFAULTS = """
[pipeline]
schedule = "round-robin"
stages = 3
minibatches = 60
microbatches = 1
mitigation = "none"
backward = "graph"
dispatch = "static"
[costs]
forward_s = 1.0
backward_s = 1.0
update_s = 0.0
[cluster]
latency_s = 0.0
[training]
task = "digits-mlp"
learning_rate = 0.05
momentum = 0.9
convention = "ema"
batch_size = 32
width = 64
seed = 0
"""


def problems(document: dict) -> dict[str, str]:
    """Path to message; every problem has both."""
    with pytest.raises(ConfigurationError) as caught:
        resolve(document)
    listed = caught.value.problems
    assert str(caught.value) == "\n".join(listed)
    found = dict(line.split(": ", 1) for line in listed)
    assert len(found) == len(listed)
    assert all(found.values())
    return found


def only(document: dict) -> tuple[str, str]:
    """The one problem of a document."""
    ((path, message),) = problems(document).items()
    return path, message


def test_the_defaults_are_the_documented_ones():
    assert resolve(tomllib.loads(DEFAULTS)) == resolve({}) == Experiment()
    for section, keys in tomllib.loads(DEFAULTS).items():
        for key, value in keys.items():
            assert getattr(getattr(Experiment(), section), key) == value


@pytest.mark.parametrize(("section", "key", "value"), [
    ("pipeline", "stages", 0), ("pipeline", "stages", 2.0), ("pipeline", "stages", "3"),
    ("pipeline", "stages", True), ("pipeline", "minibatches", 0), ("pipeline", "microbatches", -1),
    ("pipeline", "backward", "grpah"), ("pipeline", "dispatch", 1), ("pipeline", "schedule", 3),
    ("pipeline", "mitigation", 3), ("costs", "forward_s", -1.0), ("costs", "forward_s", "fast"),
    ("costs", "forward_s", math.nan), ("costs", "update_s", math.inf), ("costs", "profile", 1),
    ("costs", "jitter", 0.1), ("costs", "stragglers", {}), ("cluster", "latency_s", "x"),
    ("cluster", "bandwidth_bytes_per_s", 0), ("cluster", "bandwidth_bytes_per_s", math.nan),
    ("cluster", "activation_limit_bytes", -5), ("cluster", "boundary_bytes", "big"),
    ("training", "learning_rate", 0), ("training", "momentum", 1.0),
    ("training", "momentum", math.nan), ("training", "convention", "nesterov"),
    ("training", "batch_size", 0), ("training", "width", 1.5), ("training", "seed", -1),
    ("training", "curvatures", [0.0]), ("training", "distances", "yes"),
    ("training", "rate_schedule", "cosine"), ("training", "layers", 0),
])
def test_a_wrong_value_is_one_problem_with_path_and_value(section, key, value):
    path, message = only({section: {key: value}})
    where = f"{section}.{key}"
    assert path == where or path == f"{where}.0"
    assert f"got {value!r}" in message or f"got {value[0]!r}" in message


@pytest.mark.parametrize(("document", "path"), [
    ({"costs": {"forward_s": [1.0, "x", 1.0]}}, "costs.forward_s.1"),
    ({"costs": {"jitter": {"sigma": 9.0}}}, "costs.jitter.sigma"),
    ({"costs": {"stragglers": [{"stage": 0, "from_s": 0, "to_s": 1, "factor": 0}]}},
     "costs.stragglers.0.factor"),
    ({"training": {"rate_schedule": {"factor": 2.0}}}, "training.rate_schedule.factor"),
    ({"pipeline": 3}, "pipeline"),
])
def test_the_path_leads_to_the_wrong_value(document, path):
    assert only(document)[0] == path


def test_the_choices_of_a_literal_are_listed():
    _, message = only({"pipeline": {"backward": "grpah"}})
    assert "'graph' or 'recompute'" in message


@pytest.mark.parametrize(("document", "path", "choices"), [
    ({"pipline": {}}, "pipline", ["pipeline", "costs", "cluster", "training"]),
    ({"pipeline": {"stage": 3}}, "pipeline.stage", ["stages", "schedule"]),
    ({"training": {"rate_schedule": {"nam": "step"}}}, "training.rate_schedule.nam",
     ["name", "every", "factor", "warmup"]),
    ({"costs": {"jitter": {"sigma": 0.1, "mean": 1.0}}}, "costs.jitter.mean", ["sigma"]),
    ({"costs": {"stragglers": [{"stage": 0, "from_s": 0.0, "to_s": 1.0, "factor": 2.0,
                                "by": 1}]}}, "costs.stragglers.0.by",
     ["stage", "from_s", "to_s", "factor"]),
])
def test_an_unknown_key_is_listed_with_the_keys_there_are(document, path, choices):
    where, message = only(document)
    assert where == path
    assert f"key {path.split('.')[-1]!r} is unknown" in message
    for choice in choices:
        assert choice in message.split("choose from")[1]


def test_a_close_key_is_suggested():
    assert "did you mean stages?" in only({"pipeline": {"stage": 3}})[1]


@pytest.mark.parametrize("name", ["float", "str", "int", "none", "a[0]"])
def test_an_unknown_key_named_like_a_type_keeps_its_path(name):
    assert only({"pipeline": {name: 1}})[0] == f"pipeline.{name}"


@pytest.mark.parametrize(("path", "registry", "close", "right"), [
    ("schedule", SCHEDULES, "rund-robin", "round-robin"), ("schedule", SCHEDULES, "gpip", "gpipe")])
def test_an_unknown_name_is_listed_with_every_choice_and_the_closest(path, registry, close, right):
    where, message = only({"pipeline": {path: close}})
    assert where == f"pipeline.{path}"
    assert f"did you mean {right}?" in message
    for name in registry.names():
        assert name in message


def test_an_unknown_mitigation_is_listed_with_every_choice():
    path, message = only({"pipeline": {"mitigation": "stsh"}})
    assert path == "pipeline.mitigation"
    for name in MITIGATIONS.names():
        assert name in message


def test_an_unknown_task_is_listed_with_every_choice():
    path, message = only({"training": {"task": "digit"}})
    assert path == "training.task"
    for name in ("digits-mlp", "quadratic", "none"):
        assert name in message


def test_every_mistake_is_listed_at_once():
    found = problems({"pipeline": {"stages": 0, "colour": "red"}, "costs": {"backward_s": "x"},
                      "training": {"momentum": 2.0}, "other": {}})
    assert set(found) == {"pipeline.stages", "pipeline.colour", "costs.backward_s",
                          "training.momentum", "other"}


def test_every_rule_that_is_broken_is_listed_at_once():
    found = problems({"pipeline": {"schedule": "x", "stages": 2, "microbatches": 3,
                                   "mitigation": "y"},
                      "training": {"task": "digits-mlp", "layers": 1},
                      "costs": {"forward_s": [1.0], "stragglers": [
                          {"stage": 2, "from_s": 2.0, "to_s": 1.0, "factor": 2.0}]},
                      "cluster": {"boundary_bytes": [1.0, 2.0], "activation_bytes": [1.0]}})
    assert set(found) == {
        "pipeline.schedule", "pipeline.microbatches", "pipeline.mitigation", "training.layers",
        "costs.forward_s", "costs.stragglers.0.stage", "costs.stragglers.0.to_s",
        "cluster.boundary_bytes", "cluster.activation_bytes"}


@pytest.mark.parametrize(("document", "path", "numbers"), [
    ({"costs": {"forward_s": [1.0, 2.0]}}, "costs.forward_s", "so 3, got 2"),
    ({"cluster": {"boundary_bytes": [1.0, 2.0, 3.0]}}, "cluster.boundary_bytes", "so 2, got 3"),
    ({"cluster": {"activation_bytes": []}}, "cluster.activation_bytes", "so 3, got 0"),
])
def test_lists_have_one_number_per_stage_or_boundary(document, path, numbers):
    where, message = only(document)
    assert where == path
    assert numbers in message


def test_micro_batches_divide_the_batch_of_the_digits_only():
    assert only({"pipeline": {"microbatches": 5}})[0] == "pipeline.microbatches"
    assert resolve({"pipeline": {"microbatches": 5}, "training": {"task": "none"}})


def test_a_number_that_would_fill_the_memory_is_refused():
    path, message = only({"pipeline": {"minibatches": 10_000_000}, "training": {"task": "none"}})
    assert path == "pipeline"
    assert "instructions" in message


@pytest.mark.parametrize(("table", "path", "said"), [
    ({}, "pipeline.mitigation.name", "choose from"),
    ({"decay": 1.0}, "pipeline.mitigation.name", "stash"),
    ({"name": 3}, "pipeline.mitigation.name", "choose from"),
    ({"name": "stsh"}, "pipeline.mitigation", "stash"),
    ({"name": "stash", "decay": 1.0}, "pipeline.mitigation.decay", "it takes: none"),
    ({"name": "i-timeprest", "dcay": 1.0}, "pipeline.mitigation.dcay", "decay, weighting"),
    ({"name": "i-timeprest", "decay": "fast"}, "pipeline.mitigation.decay", "'fast'"),
    ({"name": "i-timeprest", "weighting": "linear"}, "pipeline.mitigation.weighting",
     "'exponential' or 'reciprocal'"),
    ({"name": "i-timeprest", "decay": -1.0}, "pipeline.mitigation", "decay is 0 or more"),
    ({"name": "i-timeprest", "decay": math.nan}, "pipeline.mitigation", "decay is 0 or more"),
    ({"name": "spectrain", "horizon": "far"}, "pipeline.mitigation.horizon",
     "'time-unit' or 'update'"),
])
def test_a_mitigations_parameters_are_checked(table, path, said):
    where, message = only({"pipeline": {"mitigation": table}})
    assert where == path
    assert said in message


@pytest.mark.parametrize("value", ["0.5", True])
def test_a_mitigations_parameters_are_as_strict_as_everything_else(value):
    table = {"name": "i-timeprest", "decay": value}
    assert only({"pipeline": {"mitigation": table}})[0] == "pipeline.mitigation.decay"


def test_a_mitigations_parameters_reach_it():
    table = {"name": "i-timeprest", "decay": 0.25, "weighting": "reciprocal"}
    made = make_mitigation(resolve({"pipeline": {"mitigation": table}}).pipeline.mitigation)
    assert (made.decay, made.weighting) == (0.25, "reciprocal")
    assert resolve({"pipeline": {"mitigation": {"name": "i-timeprest", "decay": math.inf}}})
    assert make_mitigation({"name": "stash"}) == make_mitigation("stash")


def test_a_quadratic_needs_a_curvature():
    assert only({"training": {"task": "quadratic", "curvatures": []}})[0] == "training.curvatures"


def test_a_file_is_read_with_its_settings(tmp_path):
    file = tmp_path / "e.toml"
    file.write_text('[pipeline]\nstages = 4\nmitigation = { name = "i-timeprest", decay = 2 }\n')
    experiment = read_experiment(file, ["stages=5", "training.seed=3"])
    assert experiment.pipeline.stages == 5
    assert experiment.training.seed == 3
    assert make_mitigation(experiment.pipeline.mitigation).decay == 2.0
    assert read_experiment(None) == Experiment()


@pytest.mark.parametrize(("content", "said"), [
    (b"[pipeline", "not TOML"), (b"\xff\xfe", "not a UTF-8 text file"),
    (b"[pipeline]\nstages = 0\n", "pipeline.stages"),
    (b"x = " + b"[" * 10_000, "e.toml"),
    (b"x = " + b"9" * 10_000, "e.toml"),
])
def test_a_file_that_cannot_be_read_is_one_problem(tmp_path, content, said):
    (tmp_path / "e.toml").write_bytes(content)
    with pytest.raises(ConfigurationError, match=said):
        read_experiment(tmp_path / "e.toml")


def test_a_missing_file_or_a_folder_is_one_problem(tmp_path):
    for path, said in ((tmp_path / "none.toml", "No such file"), (tmp_path, "directory")):
        with pytest.raises(ConfigurationError, match=said) as caught:
            read_experiment(path)
        assert len(caught.value.problems) == 1
