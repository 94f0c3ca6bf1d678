"""What a run will take is estimated before it begins, and refused where the machine lacks it."""

import tracemalloc

import pytest

import sim
from sim.errors import ConfigurationError
from sim.experiment.batched import run_many
from sim.experiment.configuration import resolve
from sim.experiment.demands import estimate
from sim.experiment.demands.estimate import Part, learning_s, refuse_beyond, setting_up_s, told
from sim.experiment.setup import rows_of
from tests.test_doors import call, refused

GB = 10**9
HUGE = [  # each would take minutes or more memory than there is, from a mistyped number
    ("training: this run would take about", ["training.width=16384"]),
    ("weights", ["training.layers=4096", "training.width=16384"]),
    ("workers.count", ["workers.count=1024", "stages=4096", "minibatches=1024"]),
    ("30,000,000 instructions", ["minibatches=10000000", "stages=1", "schedule=sequential"]),
    ("pipeline.minibatches, pipeline.stages", ["stages=1000", "minibatches=10000",
                                               "dispatch=greedy", "training.task=none"]),
    ("examples in the order of visits", ["batch_size=100000", "stages=1", "schedule=sequential",
                                         "minibatches=20000", "width=1"]),
]


@pytest.fixture
def little(monkeypatch):
    """A machine with 4 GB free."""
    monkeypatch.setattr(estimate, "free_bytes", lambda: 4.0 * GB)


@pytest.mark.parametrize(("command", "said", "settings"), [
    *(("run", *each) for each in HUGE), ("timeline", *HUGE[1]), ("timeline", *HUGE[3])])
def test_a_run_that_does_not_fit_is_refused_at_once(little, command, said, settings):
    arguments = [each for setting in settings for each in ("--set", setting)]
    output = refused(sim_door(), command, *arguments)
    assert said in output
    assert "4 GB are free; lower" in output
    assert output.count("\n") == 1


def sim_door():
    from sim.__main__ import main

    return main


def test_the_networks_of_many_seeds_count_together(little):
    output = refused(sim_door(), "compare", "--mitigations", "none", "--seeds", 1000,
                     "--set", "width=1024")
    assert "the networks of 1000 runs" in output


def test_activations_of_all_micro_batches_under_way_count(little):
    output = refused(sim_door(), "run", "--set", "batch_size=100000", "--set", "width=2000",
                     "--set", "minibatches=3")
    assert "activations of up to 3 micro-batches" in output


def test_bytes_configured_for_the_machine_are_not_this_process_s(little):
    trace = sim.run(activation_bytes=1e12, boundary_bytes=1e12, minibatches=4, width=2)
    assert trace.header.sizes.activation_bytes == [1e12] * 3


def test_a_task_that_does_not_say_its_size_is_not_refused(little, monkeypatch):
    from sim.numerics.tasks.digits import DigitsMlp

    monkeypatch.delattr(DigitsMlp, "parameters")
    estimate._parameters.cache_clear()
    try:
        assert list(estimate.parameters(resolve({}))) == []
    finally:
        estimate._parameters.cache_clear()


@pytest.mark.parametrize("document", [
    {"pipeline": {"stages": 4}, "training": {"width": 300}},
    {"pipeline": {"stages": 3, "mitigation": "spectrain"}, "training": {"width": 300}},
    {"pipeline": {"stages": 2, "schedule": "gpipe", "microbatches": 4, "minibatches": 2000},
     "training": {"task": "quadratic"}},
])
def test_the_estimate_is_of_the_size_of_what_is_taken(document, monkeypatch):
    """Within a factor of three of what NumPy and Python allocate."""
    experiment, seen = resolve(document), []
    monkeypatch.setattr(estimate, "SMALL", 0.0)
    monkeypatch.setattr(estimate, "free_bytes", lambda: 1e30)
    whole = estimate.refuse_beyond

    def noted(parts):
        parts = list(parts)
        seen.append(sum(part.size for part in parts))
        whole(parts)

    monkeypatch.setattr("sim.experiment.run.refuse_beyond", noted)
    monkeypatch.setattr(estimate, "refuse_beyond", noted)
    sim.run(minibatches=2)  # what is imported and loaded once
    seen.clear()
    tracemalloc.start()
    trace = sim.run(experiment)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(trace) == rows_of(experiment)
    assert taken / 3 < max(seen) < taken * 3


def test_many_runs_are_refused_before_any_begins(little):
    many = [resolve({"training": {"width": 1500, "seed": seed}}) for seed in range(200)]
    with pytest.raises(ConfigurationError, match="the networks of 200 runs"):
        next(iter(run_many(many)))


def test_small_parts_ask_no_machine(monkeypatch):
    monkeypatch.setattr(estimate, "free_bytes", lambda: pytest.fail("asked"))
    refuse_beyond([Part("a.b", "things", 2.0**27), Part("a.c", "more", 2.0**27)])


def test_seconds_grow_with_the_run():
    short, long = resolve({}), resolve({"pipeline": {"minibatches": 6000}})
    greedy = long.changed(dispatch="greedy")
    assert learning_s(short, rows_of(short)) < 0.1 < learning_s(long, rows_of(long)) < 100
    assert setting_up_s(greedy, rows_of(greedy)) > setting_up_s(long, rows_of(long)) > 0
    assert learning_s(long.changed(task="none"), rows_of(long)) == 0


@pytest.mark.parametrize(("size", "text"), [(12.0, "12 B"), (21.4e9, "21.4 GB"), (5e12, "5 TB"),
                                            (3e17, "300,000 TB")])
def test_bytes_are_told_in_a_unit_that_suits(size, text):
    assert told(size) == text


def test_an_ordinary_run_is_not_refused():
    assert call(sim_door(), "run", "--set", "minibatches=2").exit_code == 0
