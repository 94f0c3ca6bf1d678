"""Hints are sure: what is said to change nothing changes nothing, what to try is better."""

import re

import pytest

from analysis.metrics.report import report
from sim.experiment.configuration import read_experiment
from sim.experiment.run import run
from sim.hints import hints
from sim.mitigations import MITIGATIONS
from sim.trace import Trace

SHORT = ("minibatches=12",)
FLUSHED = {"1f1b": ("microbatches=8",), "gpipe": ("microbatches=8",),
           "split": ("microbatches=8",), "sequential": (),
           "interleaved": ("microbatches=8", "stages=4", "chunks=2")}


def ran(*settings: str) -> tuple[list[str], dict, Trace]:
    experiment = read_experiment(None, (*SHORT, *settings))
    trace = run(experiment)
    values = report(trace)
    return hints(experiment, values), values, trace


def tried(line: str) -> list[str]:
    """The settings that a hint says to try."""
    return re.findall(r"--set (\S+=[\w.]+)", line)


def test_the_default_experiment_has_none():
    experiment = read_experiment(None)
    assert hints(experiment, report(run(experiment))) == []
    assert hints(experiment, {}) == []


@pytest.mark.parametrize("settings", [
    ("schedule=round-robin", "mitigation=stash"), ("schedule=nf1b", "microbatches=4"),
    ("schedule=gpipe", "microbatches=4"), ("schedule=1f1b", "microbatches=3", "batch_size=30"),
    ("schedule=sequential",), ("schedule=gpipe", "microbatches=8", "mitigation=nwpt"),
    ("schedule=gpipe", "microbatches=8", "mitigation=2bw"), ("task=quadratic", "curvatures=[0.1]"),
    ("task=none", "bandwidth_bytes_per_s=1e6", "boundary_bytes=10.0"),
    ("schedule=zb-h1", "task=none", "microbatches=12", "input_backward_s=0.4",
     "weight_backward_s=0.6"),
    ("backward=recompute", "recompute_s=0.5"), ("workers.count=2", "minibatches=16"),
    ('rate_schedule={name="step", every=11, warmup=12}',), ("evaluate_every=12",),
    ("stragglers=[{stage=0, from_s=1.0, to_s=2.0, factor=2.0}]",),
])
def test_a_setting_that_means_something_has_none(settings):
    assert ran(*settings)[0] == []


@pytest.mark.parametrize("settings", [
    ("schedule=1f1b",), ("schedule=gpipe", "stages=4", "microbatches=2"),
    ("schedule=interleaved", "stages=8", "chunks=2", "minibatches=20"),
    ("schedule=split", "task=none"),
    ("schedule=gpipe", "costs.forward_s=[1.0, 5.0, 1.0]"),
    ("schedule=1f1b", "batch_size=30", "latency_s=0.5"),
])
def test_few_micro_batches_are_told_with_the_bubble_that_more_of_them_have(settings):
    (line,), values, _ = ran(*settings)
    assert f"a bubble of {100 * values['bubble_fraction']:.0f} %" in line
    said = float(re.search(r"makes it about (\d+) %", line)[1])
    better = ran(*settings, *tried(line))
    assert better[0] == []
    assert 100 * better[1]["bubble_fraction"] == pytest.approx(said, abs=0.6)
    assert said < 100 * values["bubble_fraction"]


def test_where_no_number_of_micro_batches_can_be_tried_nothing_is_said():
    assert ran("schedule=1f1b", "batch_size=31")[0] == []


@pytest.mark.parametrize("settings", [("minibatches=6",), ("minibatches=7",),
                                      ("minibatches=6", "workers.count=2", "stages=2")])
def test_too_few_mini_batches_are_told_with_the_fewest_that_do(settings):
    (line,), values, _ = ran(*settings)
    assert values["steady_throughput_minibatches_per_s"] is None
    (fewest,) = tried(line)
    found, values, _ = ran(*settings, fewest)
    assert found == []
    assert values["steady_throughput_minibatches_per_s"] is not None
    workers = values["workers"]["count"] if values["workers"] else 1
    fewer = f"minibatches={int(fewest.split('=')[1]) - workers}"
    assert ran(*settings, fewer)[1]["steady_throughput_minibatches_per_s"] is None


@pytest.mark.parametrize("schedule", FLUSHED)
def test_a_mitigation_that_is_said_to_do_nothing_does_nothing(schedule):
    settings = (f"schedule={schedule}", *FLUSHED[schedule])
    plain = ran(*settings)[2]
    idle = {"stash", "vertical-sync", "spectrain", "spectrain-stashed", "i-timeprest",
            "delay-adaptive"}
    for name in idle:
        (line,), _, trace = ran(*settings, f"mitigation={name}")
        assert line.startswith(f"pipeline.mitigation = {name}: under {schedule} with ")
        assert trace.header.training.final_loss == plain.header.training.final_loss
        assert (trace.version_read == plain.version_read).all()
    for name in set(MITIGATIONS.names()) - idle - {"timeprest", "v-timeprest", "2bw"}:
        assert ran(*settings, f"mitigation={name}")[0] == []


@pytest.mark.parametrize("settings", [
    ("mitigation=delay-adaptive",), ("mitigation=delay-adaptive", "in_flight=2"),
    ("mitigation={name=\"delay-adaptive\",concurrency=2,smoothness=inf}",)])
def test_a_mitigation_that_slows_nothing_is_what_stash_is(settings):
    (line,), _, trace = ran(*settings)
    assert "no update comes too late" in line
    stash = ran(*settings, "mitigation=stash")[2]
    assert trace.header.training.final_loss == stash.header.training.final_loss
    for other in (*tried(line), "mitigation={name=\"delay-adaptive\",concurrency=1}"):
        assert "no update comes too late" not in "".join(ran(*settings, "in_flight=3", other)[0])


@pytest.mark.parametrize(("settings", "key"), [
    (("task=none", "bandwidth_bytes_per_s=1e-3"), "cluster.bandwidth_bytes_per_s"),
    (("task=quadratic", "activation_limit_bytes=1.0"), "cluster.activation_limit_bytes"),
    (("stragglers=[{stage=0, from_s=28.0, to_s=1e5, factor=2.0}]",),
     "costs.stragglers.0.from_s"),
    (("trends=[{stage=0, from_s=28.0, to_s=1e5, factor=2.0}]",), "costs.trends.0.from_s"),
    (("costs.profile=figures/experiments/profile.json", "stages=4", "forward_s=9.0"),
     "costs.forward_s"),
    (("recompute_s=9.0",), "costs.recompute_s"),
    (("input_backward_s=9.0",), "costs.input_backward_s"),
    (("weight_backward_s=[9.0, 1.0, 1.0]",), "costs.weight_backward_s"),
    (("overlapped_s=9.0",), "costs.overlapped_s"),
    (("task=none", "bandwidth_bytes_per_s=[1.0, 2.0]"), "cluster.bandwidth_bytes_per_s"),
    (("sync_latency_s=9.0",), "workers.sync_latency_s"),
    (("workers.overlap=true",), "workers.overlap"),
    (("receives=holding",), "cluster.receives"),
    (("sends=rendezvous",), "cluster.sends"),
    (("task=quadratic", "layers=7"), "training.layers"),
    (("curvatures=[0.1, 9.0]",), "training.curvatures"),
    (("evaluate_every=13",), "training.evaluate_every"),
    (('rate_schedule={name="step", every=12}',), "training.rate_schedule.every"),
])
def test_a_setting_that_is_said_to_change_nothing_changes_nothing(settings, key):
    (line,), values, _ = ran(*settings)
    assert line.startswith(key)
    name = key.removesuffix(".from_s").removesuffix(".0").split(".")[1]
    without = tuple(each for each in settings if not each.partition("=")[0].endswith(name))
    assert len(without) == len(settings) - 1
    assert ran(*without)[1] == values


def test_a_warm_up_that_never_ends_and_a_divergence_are_told():
    (line,), _, _ = ran('rate_schedule={name="cosine", warmup=13}')
    assert "12 updates, so the rate never reaches" in line
    (line,), values, _ = ran("learning_rate=1e100")
    assert values["diverged"]
    assert f"from mini-batch {values['diverged_at']} on" in line
    assert not ran(*tried(line))[1]["diverged"]


@pytest.mark.parametrize(("settings", "like"), [
    (("schedule=interleaved", "microbatches=4"), "1f1b"),
    (("schedule=looped-bfs", "microbatches=4"), "split"),
    (("schedule=seq1f1b", "microbatches=4"), "1f1b"),
    (("schedule=interleaved-zb", "microbatches=4"), "zb-h1")])
def test_an_order_with_nothing_cut_finer_is_named_by_what_it_is(settings, like):
    lines, values, _ = ran("task=none", *settings)
    (line,) = [each for each in lines if "it is" in each]
    assert f"it is {like}; --set" in line
    other = ran("task=none", *settings, f"schedule={like}")[1]
    assert values["makespan_s"] == other["makespan_s"]
    stages = ("stages=6",) if "chunks" in line else ()
    assert not [each for each in ran("task=none", *settings, *stages, *tried(line))[0]
                if "it is" in each]


@pytest.mark.parametrize("settings", [
    ("schedule=hanayo", "stages=8", "chunks=2", "microbatches=6"),
    ("schedule=chimera", "stages=4", "microbatches=6")])
def test_a_round_that_is_not_full_is_told(settings):
    lines, values, _ = ran("task=none", "batch_size=48", *settings)
    (line,) = [each for each in lines if "rounds" in each]
    better = ran("task=none", "batch_size=48", *settings, *tried(line))
    assert better[1]["bubble_fraction"] < values["bubble_fraction"]
    assert not [each for each in better[0] if "rounds" in each]


def test_a_warm_up_that_hides_nothing_is_told():
    keys = "task=none", "schedule=eager-1f1b", "microbatches=8"
    (line,) = ran(*keys)[0]
    assert ran(*keys, *tried(line))[1]["makespan_s"] == ran(*keys)[1]["makespan_s"]
    assert ran(*keys, "latency_s=0.4")[0] == []
