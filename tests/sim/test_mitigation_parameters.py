"""A mitigation as a table: its parameters are checked like every other key."""

import math

import pytest

from sim.experiment.configuration import resolve
from sim.experiment.making import make_mitigation
from tests.sim.problems import only


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
    ({"name": "delay-adaptive", "concurrency": -1}, "pipeline.mitigation",
     "concurrency is 0 or more updates, got -1"),
    ({"name": "delay-adaptive", "concurrency": 1.5}, "pipeline.mitigation.concurrency", "1.5"),
    ({"name": "delay-adaptive", "concurrency": 0}, "pipeline.mitigation",
     "smoothness has to say how far"),
    ({"name": "delay-adaptive", "smoothness": 0.0}, "pipeline.mitigation", "above 0"),
    ({"name": "delay-adaptive", "smoothness": math.nan}, "pipeline.mitigation", "above 0"),
    ({"name": "delay-adaptive", "smothness": 1.0}, "pipeline.mitigation.smothness",
     "concurrency, smoothness"),
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
