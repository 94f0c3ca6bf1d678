"""The configuration: its defaults, and every mistake listed with its path and the choices."""

import math
import tomllib

import pytest

from sim.experiment.configuration import resolve
from sim.experiment.options import Experiment
from tests.sim.problems import only, problems

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
                          {"stage": 2, "from_s": 2.0, "to_s": 1.0, "factor": 2.0}],
                          "trends": [{"stage": 3, "from_s": 2.0, "to_s": 1.0, "factor": 2.0}]},
                      "cluster": {"boundary_bytes": [1.0, 2.0], "activation_bytes": [1.0]}})
    assert set(found) == {
        "pipeline.schedule", "pipeline.microbatches", "pipeline.mitigation", "training.layers",
        "costs.forward_s", "costs.stragglers.0.stage", "costs.stragglers.0.to_s",
        "costs.trends.0.stage", "costs.trends.0.to_s",
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


def test_a_quadratic_needs_a_curvature():
    assert only({"training": {"task": "quadratic", "curvatures": []}})[0] == "training.curvatures"
