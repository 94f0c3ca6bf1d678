"""`KEY=VALUE` settings: bare and dotted keys, TOML values, anything else a string."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.errors import ConfigurationError
from sim.experiment.configuration import read_experiment
from sim.experiment.documents import apply_setting
from sim.experiment.options import Experiment


def applied(*settings: str) -> dict:
    document: dict = {}
    for setting in settings:
        apply_setting(document, setting)
    return document


@pytest.mark.parametrize(("setting", "document"), [
    ("stages=8", {"pipeline": {"stages": 8}}),
    ("pipeline.stages=8", {"pipeline": {"stages": 8}}),
    (" stages = 8 ", {"pipeline": {"stages": 8}}),
    ("latency_s=1e-3", {"cluster": {"latency_s": 0.001}}),
    ("forward_s=[1, 2.5]", {"costs": {"forward_s": [1, 2.5]}}),
    ("mitigation=stash", {"pipeline": {"mitigation": "stash"}}),
    ('mitigation="stash"', {"pipeline": {"mitigation": "stash"}}),
    ('mitigation={ name = "i-timeprest", decay = inf }',
     {"pipeline": {"mitigation": {"name": "i-timeprest", "decay": float("inf")}}}),
    ("mitigation.name=stash", {"pipeline": {"mitigation": {"name": "stash"}}}),
    ("pipeline.mitigation.name=stash", {"pipeline": {"mitigation": {"name": "stash"}}}),
    ("distances=false", {"training": {"distances": False}}),
    ("profile=a=b.json", {"costs": {"profile": "a=b.json"}}),
    ("profile=", {"costs": {"profile": ""}}),
    ("schedule=1f1b", {"pipeline": {"schedule": "1f1b"}}),
    ("jitter.sigma=0.1", {"costs": {"jitter": {"sigma": 0.1}}}),
    ("nonsense.sigma=0.1", {"nonsense": {"sigma": 0.1}}),
    ("costs.jitter.sigma=0.1", {"costs": {"jitter": {"sigma": 0.1}}}),
    ("nonsense=1", {"nonsense": 1}),
    ("schedule=gpipe\nstages = 3", {"pipeline": {"schedule": "gpipe\nstages = 3"}}),
])
def test_a_setting_goes_where_its_key_lives(setting, document):
    assert applied(setting) == document


def test_later_settings_win_and_others_stay():
    assert applied("stages=3", "seed=1", "stages=4") == {
        "pipeline": {"stages": 4}, "training": {"seed": 1}}


def test_every_key_of_every_section_can_be_set_by_its_bare_name():
    for section, field in Experiment.model_fields.items():
        for key in field.annotation.model_fields:
            assert applied(f"{key}=1") == {section: {key: 1}}


@pytest.mark.parametrize("setting", ["stages", "=3", "", "  =3"])
def test_what_is_no_setting_is_refused_with_an_example(setting):
    with pytest.raises(ConfigurationError, match=r"write KEY=VALUE, e\.g\. pipeline\.stages=8"):
        applied(setting)


def test_a_key_below_a_value_is_refused():
    with pytest.raises(ConfigurationError, match=r"pipeline\.stages is not a table"):
        applied("stages=3", "pipeline.stages.more=1")


@pytest.mark.parametrize(("setting", "path"), [
    ("stages=many", "pipeline.stages"), ("pipeline.stages=0", "pipeline.stages"),
    ("colour=red", "colour"), ("pipeline.colour=red", "pipeline.colour")])
def test_a_wrong_setting_is_reported_under_its_path(setting, path):
    with pytest.raises(ConfigurationError) as caught:
        read_experiment(None, [setting])
    (problem,) = caught.value.problems
    assert problem.startswith(f"{path}: ")


@pytest.mark.parametrize("value", ["[" * 5000, "9" * 5000, "{" * 300, "1979-13-45", '"', "'''",
                                   "0x", "1__0", "\x00", "# comment"])
def test_an_odd_value_is_a_value_or_a_problem(value):
    try:
        apply_setting({}, f"seed={value}")
    except ConfigurationError as caught:
        error = caught
    else:
        return
    assert error.problems


@given(st.text(max_size=30))
def test_any_text_is_applied_or_refused(text):
    try:
        apply_setting({}, text)
    except ConfigurationError as caught:
        error = caught
    else:
        return
    assert error.problems
