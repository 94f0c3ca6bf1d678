"""Keys and names that do not exist: the path, the choices, the closest one."""

import pytest

from sim.mitigations import MITIGATIONS
from sim.schedules import SCHEDULES
from tests.sim.problems import only


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


@pytest.mark.parametrize("name", ["float", "str", "int", "none", "a[0]", "#list", "#number"])
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
