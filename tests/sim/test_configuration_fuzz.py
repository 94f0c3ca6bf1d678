"""Any document resolves or is refused; any small experiment runs or is refused."""

import warnings

from hypothesis import given, settings
from hypothesis import strategies as st

from sim.errors import ConfigurationError, DeadlockError
from sim.experiment.configuration import resolve
from sim.experiment.options import Experiment
from sim.experiment.run import run
from sim.mitigations import MITIGATIONS
from sim.numerics.tasks import TASKS
from sim.schedules import SCHEDULES

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["stash", "gpipe", "none", "float", "a.b", "graph"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner,
                                                                max_size=3), max_leaves=6)
KEYS = {name: sorted(field.annotation.model_fields)
        for name, field in Experiment.model_fields.items()}
sections = st.fixed_dictionaries({}, optional={
    name: anything | st.dictionaries(st.sampled_from(keys) | st.text(max_size=6), anything,
                                     max_size=4)
    for name, keys in KEYS.items()})
documents = sections | st.dictionaries(st.text(max_size=6), anything, max_size=3)


@settings(max_examples=300)
@given(documents)
def test_any_document_resolves_or_is_refused(document):
    try:
        experiment = resolve(document)
    except ConfigurationError as caught:
        error = caught
    else:
        assert isinstance(experiment, Experiment)
        return
    assert error.problems
    assert all(": " in problem for problem in error.problems)


def number(low: float, high: float):
    return st.floats(low, high) | st.integers(int(low), int(high))


per_stage = number(0, 10) | st.lists(number(0, 10), min_size=1, max_size=4)
pipelines = st.fixed_dictionaries({}, optional={
    "schedule": st.sampled_from([*SCHEDULES.names(), "file"]),
    "stages": st.integers(1, 4), "minibatches": st.integers(1, 6),
    "microbatches": st.sampled_from([1, 2, 4]),
    "mitigation": st.sampled_from(MITIGATIONS.names()) | st.fixed_dictionaries(
        {"name": st.just("i-timeprest"), "decay": number(0, 5)}),
    "backward": st.sampled_from(["graph", "recompute"]),
    "dispatch": st.sampled_from(["static", "greedy"])})
costs = st.fixed_dictionaries({}, optional={
    "forward_s": per_stage, "backward_s": per_stage, "update_s": per_stage,
    "recompute_s": per_stage, "jitter": st.fixed_dictionaries({"sigma": number(0, 3)}),
    "stragglers": st.lists(st.fixed_dictionaries({
        "stage": st.integers(0, 3), "from_s": number(0, 5), "to_s": number(0, 20),
        "factor": st.floats(0.1, 5)}), max_size=2),
    "trends": st.lists(st.fixed_dictionaries({
        "stage": st.integers(0, 3), "from_s": number(0, 5), "to_s": number(0, 20),
        "factor": st.floats(0.1, 5)}), max_size=2)})
clusters = st.fixed_dictionaries({}, optional={
    "latency_s": number(0, 3), "bandwidth_bytes_per_s": st.floats(1e-3, 1e3),
    "boundary_bytes": per_stage, "activation_bytes": per_stage,
    "activation_limit_bytes": st.floats(0.1, 100)})
trainings = st.fixed_dictionaries(
    {"batch_size": st.sampled_from([4, 8]), "width": st.integers(1, 5),
     "task": st.sampled_from([*TASKS.names(), "none"])}, optional={
        "learning_rate": st.floats(1e-6, 1e300), "momentum": st.floats(0, 0.999),
        "convention": st.sampled_from(["ema", "heavy-ball"]), "seed": st.integers(0, 2**70),
        "curvatures": st.lists(st.floats(1e-300, 1e300), max_size=3),
        "layers": st.integers(1, 6), "distances": st.booleans(),
        "evaluate_every": st.integers(0, 4),
        "rate_schedule": st.fixed_dictionaries({"name": st.sampled_from(
            ["constant", "step", "cosine"]), "warmup": st.integers(0, 5)})})
small = st.fixed_dictionaries({"pipeline": pipelines, "costs": costs, "cluster": clusters,
                               "training": trainings})


@settings(max_examples=150)
@given(small)
def test_any_small_experiment_runs_or_is_refused_without_a_warning(document):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            trace = run(resolve(document))
        except (ConfigurationError, DeadlockError):
            return
    assert len(trace) > 0
